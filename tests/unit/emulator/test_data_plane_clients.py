# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Clients that nobody here wrote, against real servers: the packages valkey and redis, and redis-cli."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import valkey
from redis.backoff import NoBackoff
from redis.cluster import LoadBalancingStrategy, RedisCluster
from redis.retry import Retry
from unit.emulator.data_plane_support import (
    KINDS,
    TOKEN_A,
    TOKEN_B,
    WRONG,
    PlaneKind,
    Wire,
    opened,
    tls_tunnel,
    wait_until,
)
from valkey.cluster import ValkeyCluster

from emulator.access import Access, AclUser, DataPlane, Endpoint, TlsMode

ROUND_ROBIN = LoadBalancingStrategy.ROUND_ROBIN
CLIENTS = [valkey.Valkey, redis.Redis]
CLUSTER_CLIENTS = [ValkeyCluster, RedisCluster]
Client = Any
MakeClient = Callable[..., Client]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataPlane]:
    with opened("valkey", tmp_path_factory.mktemp("dp")) as opened_plane:
        yield opened_plane


@pytest.fixture(scope="module")
def pair(plane: DataPlane) -> tuple[Endpoint, Endpoint]:
    """A primary and its replica."""
    ((primary, replica),) = plane.create_group(
        "pair", [2], cluster_enabled=False, access=Access((TOKEN_A, TOKEN_B)), tls=TlsMode.REQUIRED
    )
    return primary, replica


@pytest.fixture(scope="module")
def shards(plane: DataPlane) -> list[list[Endpoint]]:
    """Three node groups with a replica each."""
    return plane.create_group(
        "shards", [2, 2, 2], cluster_enabled=True, access=Access((TOKEN_A,)), tls=TlsMode.PREFERRED
    )


def connect(make: MakeClient, endpoint: Endpoint, plane: DataPlane, **options: Any) -> Client:
    """A client over TLS that trusts the plane's authority and retries nothing."""
    if make is redis.Redis:
        options = {"retry": Retry(NoBackoff(), 0), **options}
    options = {"ssl": True, "ssl_ca_certs": str(plane.ca_bundle), "socket_timeout": 10, **options}
    return make(host=endpoint.host, port=endpoint.port, **options)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize("token", [TOKEN_A, TOKEN_B])
def test_everyday_commands(
    plane: DataPlane, pair: tuple[Endpoint, Endpoint], make: MakeClient, protocol: int, token: str
) -> None:
    with connect(make, pair[0], plane, password=token, protocol=protocol) as client:
        assert client.set("key", b"\x00\r\n$5\r\n*1\r\nAUTH")
        assert client.get("key") == b"\x00\r\n$5\r\n*1\r\nAUTH"
        assert client.hset("hash", mapping={"a": "1", "b": "2"}) in (0, 2)
        assert client.hgetall("hash") == {b"a": b"1", b"b": b"2"}
        with client.pipeline(transaction=True) as transaction:
            assert transaction.incrby("number", 2).get("number").delete("number").execute() == [2, b"2", 1]
        with client.pipeline(transaction=False) as pipeline:
            for number in range(1000):
                pipeline.echo(f"AUTH {number}")
            assert pipeline.execute() == [b"AUTH %d" % number for number in range(1000)]
        assert client.eval("return redis.call('GET', KEYS[1])", 1, "key") == client.get("key")


@pytest.mark.parametrize("make", CLIENTS)
def test_big_values(plane: DataPlane, pair: tuple[Endpoint, Endpoint], make: MakeClient) -> None:
    value = os.urandom(1024) * 8192  # 8 MiB
    with connect(make, pair[0], plane, password=TOKEN_A) as client:
        assert client.set("big", value)
        assert client.get("big") == value
        assert client.delete("big") == 1


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("make", CLIENTS)
def test_subscriptions_and_blocking_commands(
    plane: DataPlane, pair: tuple[Endpoint, Endpoint], make: MakeClient, protocol: int
) -> None:
    with (
        connect(make, pair[0], plane, password=TOKEN_A, protocol=protocol) as listener,
        connect(make, pair[0], plane, password=TOKEN_B, protocol=protocol) as speaker,
    ):
        subscription = listener.pubsub()
        subscription.subscribe("news")
        assert subscription.get_message(timeout=120)["type"] == "subscribe"
        assert speaker.publish("news", "hello") == 1
        assert subscription.get_message(timeout=120)["data"] == b"hello"
        subscription.close()
        later = threading.Timer(0.2, lambda: speaker.lpush("queue", "job"))
        later.start()
        assert tuple(listener.blpop("queue", timeout=120)) == (b"queue", b"job")
        later.join()


@pytest.mark.parametrize("make", CLIENTS)
def test_the_wrong_token_and_the_wrong_authority_are_refused(
    plane: DataPlane, pair: tuple[Endpoint, Endpoint], make: MakeClient
) -> None:
    library: Any = valkey if make is valkey.Valkey else redis
    with (
        connect(make, pair[0], plane, password=WRONG) as client,
        pytest.raises(library.AuthenticationError, match=r"invalid username-password pair or user is disabled\."),
    ):
        client.ping()
    with (
        connect(make, pair[0], plane, password=TOKEN_A, ssl_ca_certs=None) as client,
        pytest.raises(library.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.ping()


@pytest.mark.parametrize("make", CLIENTS)
def test_replication_is_real(plane: DataPlane, pair: tuple[Endpoint, Endpoint], make: MakeClient) -> None:
    library: Any = valkey if make is valkey.Valkey else redis
    primary, replica = (connect(make, endpoint, plane, password=TOKEN_A) for endpoint in pair)
    with primary, replica:
        value = os.urandom(8)
        primary.set("replicated", value)
        assert primary.wait(1, 5000) == 1
        assert replica.get("replicated") == value
        with pytest.raises(library.ReadOnlyError):
            replica.set("replicated", "x")
        (shown,) = (row for name, row in primary.info("replication").items() if name == "slave0")
        assert (shown["ip"], shown["port"]) == (pair[1].host, pair[1].port)


@pytest.mark.parametrize("make", CLUSTER_CLIENTS)
def test_cluster_clients_find_every_node(plane: DataPlane, shards: list[list[Endpoint]], make: MakeClient) -> None:
    spread = {"read_from_replicas": True} if make is ValkeyCluster else {"load_balancing_strategy": ROUND_ROBIN}
    with connect(make, shards[2][0], plane, password=TOKEN_A, **spread) as client:
        for number in range(100):
            assert client.set(f"key{number}", number)
        for primary in client.get_primaries():
            client.wait(1, 5000, target_nodes=primary)
        assert [client.get(f"key{number}") for number in range(100)] == [b"%d" % number for number in range(100)]
        primaries = {Endpoint(node.host, node.port) for node in client.get_primaries()}
        replicas = {Endpoint(node.host, node.port) for node in client.get_replicas()}
    assert primaries == {shard[0] for shard in shards}
    assert replicas == {shard[1] for shard in shards}


@pytest.mark.parametrize("make", CLUSTER_CLIENTS)
def test_a_cluster_follows_its_tokens(plane: DataPlane, shards: list[list[Endpoint]], make: MakeClient) -> None:
    library: Any = valkey if make is ValkeyCluster else redis
    with pytest.raises(
        (library.AuthenticationError, library.exceptions.ValkeyClusterException)
        if library is valkey
        else (library.AuthenticationError, library.RedisClusterException)
    ):
        connect(make, shards[0][0], plane, password=TOKEN_B)
    plane.set_access("shards", Access((TOKEN_A, TOKEN_B)))
    try:
        with connect(make, shards[0][0], plane, password=TOKEN_B) as client:
            for number in range(50):
                assert client.incr(f"count{number}") >= 1
    finally:
        plane.set_access("shards", Access((TOKEN_A,)))


@pytest.mark.parametrize("make", CLUSTER_CLIENTS)
def test_cluster_clients_on_the_light_plane(tmp_path: Path, make: MakeClient) -> None:
    with opened("light", tmp_path) as plane:
        shards = plane.create_group(
            "shards", [2, 2, 2], cluster_enabled=True, access=Access((TOKEN_A,)), tls=TlsMode.REQUIRED
        )
        with connect(make, shards[1][1], plane, password=TOKEN_A) as client:
            assert [client.incr(f"key{number}") for number in range(50)] == [1] * 50
            assert {Endpoint(node.host, node.port) for node in client.get_primaries()} == {row[0] for row in shards}


def find_redis_cli(*, with_tls: bool) -> str | None:
    """A redis-cli: one on PATH, or, where TLS need not be, the one that `make setup` puts beside this Python."""
    for name in ("redis-cli", "valkey-cli"):
        found = shutil.which(name)
        if found is not None and (not with_tls or "--tls" in run([found, "--help"]).stdout):
            return found
    beside = Path(sys.executable).with_name("redis-cli")
    return str(beside) if beside.exists() and not with_tls else None


def plain_redis_cli() -> str:
    """A redis-cli of which nothing more is asked."""
    found = find_redis_cli(with_tls=False)
    assert found is not None, "no redis-cli on PATH or beside Python; `make setup` unpacks one"
    return found


def run(command: list[str], *, token: str | None = None, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "REDISCLI_AUTH"}
    if token is not None:
        environment["REDISCLI_AUTH"] = token
    done = subprocess.run(
        command, input=stdin, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout + done.stderr, "")


@pytest.fixture
def cli(plane: DataPlane, pair: tuple[Endpoint, Endpoint]) -> Iterator[list[str]]:
    """How to call redis-cli for the primary: with TLS of its own, or else through a tunnel."""
    native = find_redis_cli(with_tls=True)
    if native is not None:
        tls = ["--tls", "--cacert", str(plane.ca_bundle)]
        yield [native, "-h", pair[0].host, "-p", str(pair[0].port), *tls]
        return
    plain = plain_redis_cli()
    with tls_tunnel(pair[0], plane.ca_bundle) as near:
        yield [plain, "-h", near.host, "-p", str(near.port)]


def test_redis_cli(cli: list[str]) -> None:
    assert run([*cli, "PING"], token=TOKEN_A).stdout == "PONG\n"
    assert run([*cli, "-3", "PING"], token=TOKEN_B).stdout == "PONG\n"
    assert run([*cli, "PING"]).stdout == "NOAUTH Authentication required.\n\n"
    assert "WRONGPASS invalid username-password pair or user is disabled." in run([*cli, "PING"], token=WRONG).stdout
    assert (
        run([*cli, "--user", "default", "--no-auth-warning", "--pass", TOKEN_A, "ACL", "WHOAMI"]).stdout == "default\n"
    )
    script = f"AUTH {TOKEN_B}\nSET cli 1\nINCR cli\nMULTI\nINCR cli\nEXEC\nCONFIG GET maxmemory\n"
    assert run(cli, stdin=script).stdout.split("\n")[:6] == ["OK", "OK", "2", "OK", "QUEUED", "3"]
    mass = "".join(f"SET mass{number} {number}\r\n" for number in range(1000))
    assert "errors: 0, replies: 1000" in run([*cli, "--pipe"], token=TOKEN_A, stdin=mass).stdout


def test_redis_cli_follows_a_cluster_in_plaintext(shards: list[list[Endpoint]]) -> None:
    plain = plain_redis_cli()
    cli = [plain, "-c", "-h", shards[0][0].host, "-p", str(shards[0][0].port)]
    for number in range(10):
        assert run([*cli, "SET", f"cli{number}", str(number)], token=TOKEN_A).stdout == "OK\n"
        assert run([*cli, "GET", f"cli{number}"], token=TOKEN_A).stdout == f"{number}\n"


class Load:
    """Threads that work without pause; counts what they did and what failed."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Do this over and over."""
        self.done[name] = 0

        def loop() -> None:
            while not self._stop.is_set():
                try:
                    work()
                    self.done[name] += 1
                except Exception as error:  # whatever a client raises is a failed command
                    self.failures.append(f"{name}: {error!r}")
                    time.sleep(0.05)

        self._threads.append(threading.Thread(target=loop, daemon=True))
        self._threads[-1].start()

    def progress(self) -> None:
        """Wait until everybody has done some more."""
        before = dict(self.done)
        assert wait_until(
            lambda: all(self.done[name] > count + 2 for name, count in before.items()) or bool(self.failures)
        )
        assert self.failures == []

    def stop(self) -> None:
        """End the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("kind", KINDS)
def test_live_clients_across_a_rotation(kind: PlaneKind, tmp_path: Path) -> None:
    """open → optional(a) → rotating(a, b) → required(b) → rotating(b, c): nobody with a valid credential fails."""
    with opened(kind, tmp_path) as plane:
        ((primary, _replica),) = plane.create_group(
            "live", [2], cluster_enabled=False, access=Access((None,)), tls=TlsMode.REQUIRED
        )
        load = Load()

        def connected(token: str | None) -> Callable[[], None]:
            client = connect(valkey.Valkey, primary, plane, password=token)

            def work() -> None:
                client.incr("connected")

            return work

        def reconnecting(make: MakeClient, token: str) -> Callable[[], None]:
            def work() -> None:
                with connect(make, primary, plane, password=token) as client:
                    client.incr("reconnecting")

            return work

        try:
            load.start("no token, connected", connected(None))
            load.progress()
            plane.set_access("live", Access((None, TOKEN_A)))
            load.start("a, connected", connected(TOKEN_A))
            load.start("a, reconnecting", reconnecting(valkey.Valkey, TOKEN_A))
            load.start("a, reconnecting, redis", reconnecting(redis.Redis, TOKEN_A))
            load.progress()
            plane.set_access("live", Access((TOKEN_A, TOKEN_B)))
            load.start("b, reconnecting", reconnecting(valkey.Valkey, TOKEN_B))
            load.progress()
            with pytest.raises(valkey.AuthenticationError, match="Authentication required"):
                connect(valkey.Valkey, primary, plane).ping()
            load.stop()
            assert load.failures == []

            load = Load()
            load.start("a, connected", connected(TOKEN_A))
            load.start("b, reconnecting", reconnecting(redis.Redis, TOKEN_B))
            load.progress()
            plane.set_access("live", Access((TOKEN_B,)))
            load.progress()
            with pytest.raises(valkey.AuthenticationError, match="invalid username-password pair"):
                connect(valkey.Valkey, primary, plane, password=TOKEN_A).ping()
            plane.set_access("live", Access((TOKEN_B, WRONG)))
            load.start("c, reconnecting", reconnecting(valkey.Valkey, WRONG))
            load.progress()
        finally:
            load.stop()
        assert load.failures == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_credential_that_is_good_before_and_after_a_change_is_good_during_it(kind: PlaneKind, tmp_path: Path) -> None:
    """Each of these states accepts ``AUTH a``: whoever connects at the very moment of the change must not notice."""
    everything = AclUser("default", "on ~* &* +@all", (TOKEN_A,))
    states = [
        Access((None, TOKEN_A)),
        Access((TOKEN_A, TOKEN_B)),
        Access((TOKEN_A,)),
        Access(users=(everything,)),
    ]
    with opened(kind, tmp_path) as plane:
        ((node, _replica),) = plane.create_group(
            "moving", [2], cluster_enabled=False, access=states[0], tls=TlsMode.PREFERRED
        )

        def connect_anew() -> None:
            with Wire(node, None) as client:
                answers = [
                    client.ask(*command) for command in (("AUTH", TOKEN_A), ("AUTH", "default", TOKEN_A), ("PING",))
                ]
            assert answers == ["OK", "OK", "PONG"]

        load = Load()
        try:
            for name in ("one", "another"):
                load.start(name, connect_anew)
            for turn in range(200):
                plane.set_access("moving", states[turn % len(states)])
            load.progress()
        finally:
            load.stop()
        assert load.failures == []
        assert sum(load.done.values()) > 100
