# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Bad circumstances, on the way to AWS and to the nodes: one clear message, and nothing changed."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from integration.direct import auth, mutating
from integration.refused import assert_refused
from integration.run import run_playbook
from integration.scenes import GROUP, A, B, create, scene

from ansible_collections.elasticache.auth.plugins.module_utils._aws.clients import Clients

if TYPE_CHECKING:
    from conftest import Emulator

UNIT = "replication_group_auth"
KNOWN = {"known_auth_tokens": [A]}


class TestTheWayToAws:
    """Credentials, regions and connections."""

    @pytest.fixture(autouse=True)
    def _group(self, emulator: Emulator) -> None:
        for group in ("one", "two", "three"):
            create(emulator, group, AuthToken=A)

    @pytest.mark.parametrize("number", [1, 3])
    @pytest.mark.parametrize("secret", [False, True])
    def test_no_credentials(self, emulator: Emulator, number: int, secret: bool) -> None:
        nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        before = mutating(emulator)
        given = {"auth_token_secret": {"name": "s"}} if secret else {"auth_token": B}
        ended = auth(emulator, "rotate", group=["one", "two", "three"][:number], environment=nothing, **given)
        way_out = (
            "was not called: no AWS credentials were found. Set profile, access_key and secret_key, "
            "AWS_PROFILE, or run where an IAM role is attached."
        )
        assert ended.failed
        assert way_out in ended.msg
        if not secret:
            assert ended.msg == f"elasticache:DescribeReplicationGroups {way_out}"
        assert mutating(emulator) == before

    @pytest.mark.parametrize("number", [1, 3])
    @pytest.mark.parametrize("secret", [False, True])
    def test_no_region(self, emulator: Emulator, number: int, secret: bool) -> None:
        """Told once, however many threads wanted to know."""
        before = mutating(emulator)
        given = {"auth_token_secret": {"name": "s"}} if secret else {"auth_token": B}
        ended = auth(
            emulator,
            "rotate",
            group=["one", "two", "three"][:number],
            environment={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""},
            **given,
        )
        assert ended.failed
        assert "There is no region. Set region, AWS_REGION, or a profile that has one." in ended.msg
        assert mutating(emulator) == before

    @pytest.mark.parametrize(
        ("code", "words"),
        [
            ("InvalidClientTokenId", "The credentials may be wrong or deactivated, or the region us-east-1 may not be"),
            ("ExpiredToken", "Renew the credentials."),
            ("AccessDenied", "Allow it in the policy of the credentials."),
        ],
    )
    @pytest.mark.parametrize(
        ("action", "of_the_group"),
        [("DescribeReplicationGroups", False), ("ListTagsForResource", True), ("ModifyReplicationGroup", True)],
    )
    def test_credentials_that_are_not_accepted(
        self, emulator: Emulator, code: str, words: str, action: str, of_the_group: bool
    ) -> None:
        emulator.faults({"kind": "error", "action": action, "code": code, "message": "nope", "status": 403, "times": 9})
        ended = auth(emulator, "rotate", B, group="one", known_auth_tokens=[A])
        assert ended.failed
        assert not ended.changed
        expected = f"elasticache:{action} was refused in us-east-1: {code}: nope. {words}"
        assert ended.msg.startswith(f"one: {expected}" if of_the_group else expected)
        assert emulator.group("one")["slots"] == [A]

    @pytest.mark.parametrize("secret", [False, True])
    def test_an_unknown_profile(self, emulator: Emulator, secret: bool) -> None:
        """amazon.aws ends the module where a client can't be made; threads must not make it end thrice."""
        nothing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        given = {"auth_token_secret": {"name": "s"}} if secret else {"auth_token": B}
        ended = auth(emulator, "rotate", group=["one", "two", "three"], profile="nobody", environment=nothing, **given)
        assert ended.failed
        assert "The config profile (nobody) could not be found" in ended.msg

    def test_a_closed_port(self, emulator: Emulator) -> None:
        """Nobody listens: told within seconds, not minutes."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            ended = auth(emulator, "rotate", B, group=["one", "two"], environment={"AWS_ENDPOINT_URL": url})
        assert ended.failed
        assert ended.msg == (
            "elasticache:DescribeReplicationGroups did not reach AWS in us-east-1: "
            f'Could not connect to the endpoint URL: "{url}/". Check region, endpoint_url and the network.'
        )

    def test_a_port_that_never_answers(self, emulator: Emulator) -> None:
        """A firewall that drops packets: with the time that aws_config allows it is told soon."""
        with _silent_port() as port:
            ended = auth(
                emulator,
                "rotate",
                B,
                group="one",
                aws_config={"connect_timeout": 0.2},
                environment={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"},
            )
        assert ended.failed
        assert ended.msg.startswith("elasticache:DescribeReplicationGroups did not reach AWS in us-east-1: ")
        assert ended.msg.endswith("Check region, endpoint_url and the network.")

    def test_connections_break_for_good(self, emulator: Emulator) -> None:
        emulator.faults({"kind": "drop", "action": "DescribeReplicationGroups", "times": 99})
        ended = auth(emulator, "rotate", B, group="one", known_auth_tokens=[A])
        assert ended.failed
        assert ended.msg == (
            "elasticache:DescribeReplicationGroups failed in us-east-1: ConnectionClosedError: Connection was closed "
            f'before we received a valid response from endpoint URL: "{emulator.endpoint_url}/".'
        )

    def test_throttled_for_good(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """It gives up when its patience is at an end (shortened here from two minutes), and says why."""
        monkeypatch.setattr(Clients, "patience", 2.0)
        emulator.faults({"kind": "throttle", "service": "elasticache", "rate": 1.0})
        ended = auth(emulator, "rotate", B, group="one", known_auth_tokens=[A])
        assert ended.failed
        assert ended.msg == "elasticache:DescribeReplicationGroups failed in us-east-1: Throttling: Rate exceeded."
        assert emulator.group("one")["slots"] == [A]

    def test_throttled_for_good_in_a_change(self, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
        """The record no longer names a call that was never made."""
        monkeypatch.setattr(Clients, "patience", 2.0)
        emulator.faults({"kind": "throttle", "action": "ModifyReplicationGroup", "rate": 1.0})
        ended = auth(emulator, "rotate", B, group="one", known_auth_tokens=[A])
        assert ended.failed
        assert not ended.changed
        assert ended.msg == "one: elasticache:ModifyReplicationGroup failed in us-east-1: Throttling: Rate exceeded."
        assert "rotate" not in emulator.group("one")["tags"]["elasticache.auth/record"]


class _SilentPort:
    """A port whose queue of connections is full: further ones are neither taken nor refused."""

    def __init__(self) -> None:
        self._server = socket.socket()
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(0)
        self.port = int(self._server.getsockname()[1])
        self._clients = [self._client() for dummy in range(3)]

    def _client(self) -> socket.socket:
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", self.port))
        return client

    def __enter__(self) -> int:
        return self.port

    def __exit__(self, *exception: object) -> None:
        for item in (*self._clients, self._server):
            item.close()


def _silent_port() -> _SilentPort:
    return _SilentPort()


class TestTheWayToTheNodes:
    """Certificates and connections of the data plane."""

    def test_an_authority_that_signed_nothing_here(self, emulator: Emulator, tmp_path: Path) -> None:
        """No token is sent to a node that can't be trusted, whatever ``probe`` says."""
        scene(emulator, "required")
        wrong = tmp_path / "ca.pem"
        trustme.CA().cert_pem.write_to_path(wrong)
        for mode in ("auto", "always"):
            ended = auth(emulator, "rotate", B, known_auth_tokens=[A], data_plane_ca_path=str(wrong), probe=mode)
            node = emulator.group(GROUP)["node_groups"][0]["nodes"][0]
            message = (
                f"{GROUP}: the certificate of {GROUP}-001 ({node['host']}:{node['port']}) is not trusted: "
                "unable to get local issuer certificate. No token was sent. "
                "Name the authority's file in data_plane_ca_path, or find out who answers there."
            )
            assert_refused(emulator, ended, message, ["CreateReplicationGroup"])
        assert auth(emulator, "rotate", B, probe="never", assume_state="required", data_plane_ca_path=None).changed

    @pytest.mark.parametrize(
        ("content", "problem"),
        [(None, "No such file or directory"), ("nothing of use", "no certificate or crl found")],
    )
    def test_a_file_without_authorities(
        self, emulator: Emulator, tmp_path: Path, content: str | None, problem: str
    ) -> None:
        scene(emulator, "required")
        file = tmp_path / "ca.pem"
        if content is not None:
            file.write_text(content)
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], data_plane_ca_path=str(file))
        assert ended.failed
        assert ended.msg.startswith(f"data_plane_ca_path: {file} holds no certificates to trust: ")
        assert problem in ended.msg
        assert mutating(emulator) == ["CreateReplicationGroup"]

    @pytest.mark.emulator(data_plane="none")
    def test_out_of_reach_though_it_must_be_asked(self, emulator: Emulator) -> None:
        scene(emulator, "required")
        ended = auth(emulator, "rotate", B, known_auth_tokens=[A], probe="always")
        first, second = emulator.group(GROUP)["node_groups"][0]["nodes"]
        assert ended.failed
        assert ended.msg.startswith(
            f"{GROUP}: {GROUP}-001 ({first['host']}:{first['port']}), {GROUP}-002 ({second['host']}:{second['port']}) "
            "can't be reached: "
        )
        assert ".." not in ended.msg
        assert ended.msg.endswith(
            ". Run where the group's VPC and security groups allow the connection, or use probe: auto."
        )
        assert mutating(emulator) == ["CreateReplicationGroup"]


def test_as_ansible_reports_it(emulator: Emulator) -> None:
    """Through ansible-playbook: a failed task with that message, no traceback, and the play goes on where it may."""
    create(emulator, AuthToken=A)
    name = "elasticache.auth.replication_group_auth"
    common = {"replication_group_id": GROUP, "auth_token_update_strategy": "rotate", "known_auth_tokens": [A]}
    cases: dict[str, dict[str, Any]] = {
        "too short": {"auth_token": "much-too-short"},
        "unknown": {"auth_token": B, "replication_group_id": "nowhere"},
        "no such authority": {"auth_token": B, "data_plane_ca_path": "/nowhere/ca.pem"},
        "both": {"auth_token": B, "auth_tokens": {"sessions": B}},
        "no credentials": {"auth_token": B, "access_key": "", "secret_key": ""},
        "no region": {"auth_token": B, "replication_group_id": ["one", "two", "three"]},
    }
    tasks = [{"name": title, "ignore_errors": True, name: {**common, **given}} for title, given in cases.items()]
    environment = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    tasks[-2]["environment"] = environment
    tasks[-1]["environment"] = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    before = mutating(emulator)
    ended = run_playbook(emulator, [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}], verbosity=4)
    assert ended.succeeded, ended.output
    assert ended.recap["localhost"]["ignored"] == len(cases)
    assert "Traceback" not in ended.output
    assert "junk after the JSON data" not in ended.output
    for token in (A, B, "much-too-short"):
        assert token not in ended.output
    words = {
        "too short": "it has 14 characters, AWS takes 16 to 128",
        "unknown": "nowhere: there is no replication group of this id in us-east-1.",
        "no such authority": "data_plane_ca_path: /nowhere/ca.pem holds no certificates to trust",
        "both": "parameters are mutually exclusive: auth_token|auth_tokens|auth_token_secret",
        "no credentials": "no AWS credentials were found",
        "no region": "There is no region.",
    }
    for title, word in words.items():
        assert word in ended.of(title)["msg"], title
    assert mutating(emulator) == before
