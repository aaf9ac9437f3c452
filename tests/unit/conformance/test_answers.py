# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""How an answer compares, what is written of it, and that no token is in any of it."""

from __future__ import annotations

import fnmatch
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from chaos.command import REPOSITORY
from conformance.announcement import Plan, announcement, price
from conformance.answers import Answers, Verdict
from conformance.clock import Clock, HaltError
from conformance.endpoint import Answer, NoAnswerError
from conformance.hidden import Hidden
from conformance.nodes import UnreachableError
from conformance.report import Report, free_path
from conformance.rows import ROWS
from emulator.settings import Variants

LIVE, OTHER = "rotate-live-token", "set-other-value"
BAD = Answer(0.1, {}, "InvalidParameterValue", "Invalid AuthToken provided.")


@pytest.fixture
def answers() -> Answers:
    """None yet."""
    return Answers(Hidden())


def report(answers: Answers, target: str = "aws") -> Report:
    """Of these, beside the emulator's defaults."""
    answers.finish("nobody asked")
    return Report(target, "eu-west-1", "0a1b2c3d", "2026-11-27", dict(Variants()), answers)


@pytest.mark.parametrize(
    ("name", "answer", "verdict"),
    [
        ("bad-token", BAD, Verdict.EXPECTED),
        ("bad-token", Answer(0.1, {}, "InvalidParameterValue", "Invalid AuthToken."), Verdict.DIFFERS),
        ("bad-token", Answer(0.1, {}, "InvalidParameterCombination", BAD.words), Verdict.DIFFERS),
        ("bad-token", Answer(0.1), Verdict.DIFFERS),
        ("page-too-small", Answer(0.1, {}, "Anything", "in any words"), Verdict.EXPECTED),
        ("page-too-small", Answer(0.1), Verdict.DIFFERS),
        ("nothing-to-change", Answer(0.1, {}, "InvalidParameterCombination", "Sorry. No modifications were requested!"),
         Verdict.EXPECTED),
    ],
)  # fmt: skip
def test_a_refusal_is_compared_by_code_and_words(answers: Answers, name: str, answer: Answer, verdict: Verdict) -> None:
    """Both have to be the expected ones."""
    answers.refusal(name, answer)
    assert report(answers).verdict(name) is verdict


@pytest.mark.parametrize(
    ("may_be", "verdict"),
    [(("no-op", "slot-lost"), Verdict.DIFFERS), (("no-op", "refused"), Verdict.PART)],
)
def test_part_of_an_answer(answers: Answers, may_be: tuple[str, ...], verdict: Verdict) -> None:
    """What could not be told apart is no settled question; what excludes the expected value differs."""
    answers.part(LIVE, may_be, Answer(0.1))
    made = report(answers)
    assert made.verdict(LIVE) is verdict
    assert not answers.seen[LIVE].settles


@pytest.mark.parametrize(
    "error", [UnreachableError("no route"), NoAnswerError("no answer"), HaltError("the time was over")], ids=str
)
def test_a_row_that_can_not_be_asked_says_why(answers: Answers, error: Exception) -> None:
    """Rows that were answered before stay; the end of the time is passed on."""
    answers.value("open-auth", "OK")
    try:
        with answers.asking("open-auth", "optional-token"):
            raise error
    except HaltError:
        assert isinstance(error, HaltError)
    assert answers.seen["optional-token"].why == str(error)
    assert not answers.seen["open-auth"].why
    assert report(answers).verdict("optional-token") is Verdict.NOT_ASKED


def test_what_is_to_be_changed(answers: Answers) -> None:
    """A settled question, in the facts and in the emulator; another answer than was expected; README."""
    answers.choice(OTHER, "invalid-token", BAD)
    answers.choice(LIVE, "refused", Answer(0.1, {}, "InvalidParameterValue", "The token is live."))
    answers.value("newest-engine", "10.0")
    lines = "\n".join(report(answers).changes())
    assert "docs/elasticache-facts.md §1: SET of another value: with which words it is refused: ? becomes O" in lines
    assert "tests/emulator/settings.py, variant set-other-value: put invalid-token first" in lines
    assert "settings.py, variant rotate-live-token" not in lines
    assert "refusals.py, as variant rotate-live-token has it: InvalidParameterValue: The token is live." in lines
    assert "docs/elasticache-facts.md §5: newest Valkey: 9.1 was expected; seen" in lines
    assert "3 of" in lines.splitlines()[-1]
    assert lines.splitlines()[-1].startswith("README.md, Not yet verified")
    assert "never yet against AWS" in (REPOSITORY / "README.md").read_text("utf-8")


def test_nothing_is_to_be_changed_by_what_the_emulator_answers(answers: Answers) -> None:
    """It has its answers from the facts."""
    answers.value("newest-engine", "10.0")
    assert report(answers, "emulator").changes() == []


def test_no_token_and_no_account_is_kept() -> None:
    """Wherever AWS repeats one, in any text; neither does a terminal get its control characters."""
    hidden = Hidden()
    token = hidden.make(suffix="_")
    assert len(token) == 40
    answers = Answers(hidden)
    text = f"Bad {token}\x1b[2J arn:aws:elasticache:eu-west-1:123456789012:user:Conformance-0a1b2c3d-app"
    answers.value("open-auth", text)
    answers.not_asked("newest-engine", text)
    content = report(answers).as_json()
    assert "Bad <token>�[2J arn:aws:elasticache:eu-west-1:<account>:user:<id>" in content
    assert token not in content
    assert token not in repr(hidden)
    assert len(json.loads(content)["rows"]) == len(ROWS)


def test_time_for_questions() -> None:
    """Is over by itself, or by an interrupt."""
    over, stopped = Clock(-60, 0.01), Clock(60, 0.01)
    stopped.check()
    stopped.stop()
    for clock, why in ((over, "minutes for questions were over"), (stopped, "interrupted")):
        with pytest.raises(HaltError, match=why):
            clock.pause()


def test_the_announcement_says_what_how_long_and_how_much() -> None:
    """And where, and how to clean up."""
    text = "\n".join(announcement(Plan("eu-west-1", "0a1b2c3d", 60, None, "from here", "123456789012")))
    for part in ("eu-west-1", "123456789012", "at most 60 minutes", f"{price(60):.2f} USD", "1 secret", "--clean"):
        assert part in text
    assert 0.05 < price(60) < 0.5


def test_a_report_writes_over_no_other(tmp_path: Path) -> None:
    """A second one of the day gets a number."""
    first = free_path(tmp_path, "2026-11-27")
    assert first.name == "conformance-2026-11-27.json"
    first.touch()
    second = free_path(tmp_path, "2026-11-27").name
    assert second == "conformance-2026-11-27-2.json"
    done = subprocess.run(["git", "-C", str(REPOSITORY), "check-ignore", first.name, second], check=True)
    assert done.returncode == 0
    ignored = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text("utf-8"))["build_ignore"]
    assert any(fnmatch.fnmatch(second, pattern) for pattern in ignored)
