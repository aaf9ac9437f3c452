# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The lookup ``random_auth_token`` and the tests ``valid_auth_token`` and ``strong_auth_token``, through Ansible."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.run import PlaybookRun, run_playbook
from integration.scenes import A

if TYPE_CHECKING:
    from conftest import Emulator

LOOKUP = "elasticache.auth.random_auth_token"
VALID = "elasticache.auth.valid_auth_token"
STRONG = "elasticache.auth.strong_auth_token"

#: What, whether it is valid, whether it is strong.
TOKENS: dict[str, tuple[Any, bool, bool]] = {
    "random": ("x9&Kq2#Lm7^Tz4>Wp", True, True),
    "longest": ("x9&Kq2#Lm7^Tz4>W" * 8, True, True),
    "too long": ("x9&Kq2#Lm7^Tz4>W" * 8 + "x", False, False),
    "too short": ("x9&Kq2#Lm7^Tz4>", False, False),
    "two classes": ("abqz-xkvw-jdhf-bcmn", True, False),
    "dictionary": ("Password-Sunshine-1!", True, False),
    "leet": ("P4ssw0rd-Sunsh1ne-77", True, False),
    "space": ("x9&Kq2#Lm7^ Tz4>Wp", False, False),
    "at sign": ("x9@Kq2#Lm7^Tz4>Wp", False, False),
    "newline": ("x9&Kq2#Lm7^Tz4>Wp\n", False, False),
    "umlaut": ("x9&Kq2#Lm7^Tz4>Wü", False, False),
    "number": (1234567890123456, False, False),
    "list": (["x9&Kq2#Lm7^Tz4>Wp"], False, False),
    "nothing": (None, False, False),
    "empty": ("", False, False),
}
#: Recently used tokens, and whether the random one above is still strong.
RECENT: dict[str, tuple[Any, bool]] = {
    "none": ([], True),
    "another": ([A], True),
    "the same": (["x9&Kq2#Lm7^Tz4>Wp"], False),
    "other case": (["X9&KQ2#LM7^TZ4>WP"], False),
    "one letter": ([A, "x9&Kq2#Lm7^Tz4>Wq"], False),
    "one text": ("x9&Kq2#Lm7^Tz4>Wp", False),
    "longer": (["x9&Kq2#Lm7^Tz4>Wp-2"], False),
}
ERRORS = {
    "a term": ("lookup('elasticache.auth.random_auth_token', 'x')", "takes no terms"),
    "15": (
        "lookup('elasticache.auth.random_auth_token', length=15)",
        "15 characters was asked for, AWS takes 16 to 128",
    ),
    "129": ("lookup('elasticache.auth.random_auth_token', length=129)", "AWS takes 16 to 128"),
    "no number": ("lookup('elasticache.auth.random_auth_token', length='long')", "length"),
}


@pytest.fixture(scope="module")
def ran(emulators: Any) -> PlaybookRun:
    """All of it in one playbook."""
    facts = {
        "sixteen": "{{ lookup('" + LOOKUP + "', length=16) }}",
        "default": "{{ lookup('" + LOOKUP + "') }}",
        "longest": "{{ lookup('" + LOOKUP + "', length=128) }}",
    }
    tasks: list[dict[str, Any]] = [
        {"name": "made", "ansible.builtin.set_fact": facts},
        {
            "name": "twenty",
            "ansible.builtin.set_fact": {"token": "{{ lookup('" + LOOKUP + "', length=16) }}"},
            "loop": list(range(20)),
        },
        {
            "name": "judged",
            "ansible.builtin.set_fact": {
                "valid": "{{ given | dict2items | selectattr('value', '"
                + VALID
                + "') | map(attribute='key') | list }}",
                "strong": "{{ given | dict2items | selectattr('value', '" + STRONG + "') | map(attribute='key') }}",
                "made_ones": "{{ [sixteen, default, longest] | select('" + STRONG + "') | length }}",
            },
        },
        *(
            {
                "name": f"recent {name}",
                "ansible.builtin.set_fact": {"strong": "{{ candidate is " + STRONG + "(recent=recent) }}"},
                "vars": {"candidate": TOKENS["random"][0], "recent": recent},
            }
            for name, (recent, dummy) in RECENT.items()
        ),
        *(
            {"name": f"error {name}", "ansible.builtin.debug": {"msg": f"{{{{ {call} }}}}"}, "ignore_errors": True}
            for name, (call, dummy) in ERRORS.items()
        ),
    ]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"given": {name: value for name, (value, dummy, dummy) in TOKENS.items()}},
        "tasks": tasks,
    }
    ended = run_playbook(emulators("none"), [play])
    assert ended.succeeded, ended.output
    return ended


def status(ended: PlaybookRun, task: str) -> str:
    """How a task ended."""
    (found,) = [one.status for one in ended.results if one.task == task]
    return found


@pytest.mark.parametrize(("name", "length"), [("sixteen", 16), ("default", 64), ("longest", 128)])
def test_lengths(ran: PlaybookRun, name: str, length: int) -> None:
    assert len(ran.of("made")["ansible_facts"][name]) == length


def test_no_two_are_the_same(ran: PlaybookRun) -> None:
    tokens = [item["ansible_facts"]["token"] for item in ran.of("twenty")["results"]]
    assert len(set(tokens)) == 20


def test_what_is_made_is_strong(ran: PlaybookRun) -> None:
    assert ran.of("judged")["ansible_facts"]["made_ones"] in (3, "3")


@pytest.mark.parametrize("name", list(TOKENS))
def test_valid_and_strong(ran: PlaybookRun, name: str) -> None:
    judged = ran.of("judged")["ansible_facts"]
    assert (name in judged["valid"], name in judged["strong"]) == TOKENS[name][1:]


@pytest.mark.parametrize("name", list(RECENT))
def test_recently_used(ran: PlaybookRun, name: str) -> None:
    assert ran.of(f"recent {name}")["ansible_facts"]["strong"] in (RECENT[name][1], str(RECENT[name][1]))


@pytest.mark.parametrize("name", list(ERRORS))
def test_errors(ran: PlaybookRun, name: str) -> None:
    assert status(ran, f"error {name}") == "failed"
    assert ERRORS[name][1] in ran.of(f"error {name}")["msg"]


def test_without_the_dictionary(emulator: Emulator) -> None:
    """``strong_auth_token`` says what to install; ``valid_auth_token`` needs nothing."""
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [
            {
                "name": "strong",
                "ignore_errors": True,
                "ansible.builtin.debug": {"msg": "{{ token is " + STRONG + " }}"},
            },
            {"name": "valid", "ansible.builtin.debug": {"msg": "{{ token is " + VALID + " }}"}},
        ],
        "vars": {"token": TOKENS["random"][0]},
    }
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "zxcvbn.py").write_text("raise ImportError('not here')\n")
        ended = run_playbook(emulator, [play], environment={"PYTHONPATH": folder})
    assert ended.succeeded, ended.output
    assert status(ended, "strong") == "failed"
    assert "the library zxcvbn is not installed: pip install zxcvbn" in ended.of("strong")["msg"]
    assert ended.of("valid")["msg"] in (True, "True")
