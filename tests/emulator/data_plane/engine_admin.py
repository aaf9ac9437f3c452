# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The emulator's own talk with one server, over its unix socket."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import valkey

from emulator.data_plane.acl import EngineUser
from emulator.data_plane.server_config import HiddenUser

_SECONDS = 10.0
_TRIAL_USER = f"emulator-trial-{secrets.token_hex(8)}"


class EngineAdmin:
    """A connection as the hidden user, to be used in a ``with`` block.

    Made anew for each use: a client may end other clients' connections (CLIENT KILL).
    """

    def __init__(self, socket_path: Path, hidden: HiddenUser) -> None:
        self._client = valkey.Valkey(
            unix_socket_path=str(socket_path),
            username=hidden.name,
            password=hidden.password,
            socket_timeout=_SECONDS,
            single_connection_client=False,
        )

    def __enter__(self) -> EngineAdmin:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def is_ready(self, *, nodes_of_cluster: int | None, replica: bool, replicas: int) -> bool:
        """Whether the server serves, and replicates with everybody it should.

        ``nodes_of_cluster``: how many nodes it must tell clients of, None without cluster mode;
        ``replicas``: how many it must have in sync.
        """
        try:
            if nodes_of_cluster is not None:
                cluster: dict[str, Any] = self._client.execute_command("CLUSTER INFO")
                if cluster["cluster_state"] != "ok":
                    return False
                # a node tells clients of a replica only once it has heard that the replica is in sync
                slots: list[list[Any]] = self._client.execute_command("CLUSTER SLOTS")
                if sum(len(row) - 2 for row in slots) != nodes_of_cluster:
                    return False
            replication: dict[str, Any] = self._client.execute_command("INFO", "replication")
        except (valkey.ConnectionError, valkey.TimeoutError, FileNotFoundError):
            return False  # not listening yet
        if replica:
            return bool(replication["role"] == "slave" and replication["master_link_status"] == "up")
        online = [
            name
            for name, value in replication.items()
            if name.removeprefix("slave").isdigit() and value["state"] == "online"
        ]
        return replication["role"] == "master" and len(online) == replicas

    def refused_auths(self) -> int:
        """How many AUTHs the server has refused since its start, or since somebody reset its statistics."""
        statistics: dict[str, Any] = self._client.execute_command("INFO", "stats")
        return int(statistics.get("acl_access_denied_auth", 0))

    def try_users(self, users: Iterable[EngineUser]) -> None:
        """Raises ValueError where the engine does not understand a user's rules; changes nothing."""
        for user in users:
            try:
                self._client.execute_command("ACL SETUSER", _TRIAL_USER, *user.rules, "off")
            except valkey.ResponseError as error:
                raise ValueError(f"user {user.name}: {error}") from None
            finally:
                self._client.execute_command("ACL DELUSER", _TRIAL_USER)

    def replace_users(self, users: Sequence[EngineUser], *, removed: Iterable[str]) -> None:
        """Define these users, and end those, with their connections, in one step."""
        removed = sorted(removed)
        with self._client.pipeline(transaction=True) as transaction:
            for user in users:
                transaction.execute_command("ACL SETUSER", user.name, *user.rules)
            others = [name for name in removed if name != "default"]
            if others:
                transaction.execute_command("ACL DELUSER", *others)
            if "default" in removed:  # the engine can't do without it: it is off now
                transaction.execute_command("CLIENT KILL", "USER", "default")
            transaction.execute_command("PING")
            transaction.execute()
