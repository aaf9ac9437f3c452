# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Variant d: rotate the tokens of many groups with boto3 and threads, as fast as one can. The floor.

``python plain_boto3.py POLL_SECONDS GROUPS_FILE``, which has a region and an id a line

All regions at once; in each, one client a purpose, shared by 32 threads; a page of 100 groups a call to see what has
ended; each group goes on as soon as its own change has ended. There is no safety in it: no node is asked what it
accepts, nothing is written down, a group in another state than expected is not noticed, and where it is killed someone
has to find out by hand which groups demand which token.
"""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

THREADS = 32
KEY = "auth_token"


def client(session: boto3.Session, service: str, mode: str) -> Any:
    """A client for all threads."""
    retries: Any = {"mode": mode, "total_max_attempts": 20}
    return session.client(service, config=Config(max_pool_connections=THREADS, retries=retries))


class Rotation:
    """All rotations in one region."""

    def __init__(self, region: str, poll_seconds: float) -> None:
        self.poll_seconds = poll_seconds
        session = boto3.Session(region_name=region)
        # Adaptive: it learns how often AWS wants to be called. Each client learns by itself, so changes have their own.
        self.changes = client(session, "elasticache", "adaptive")
        self.looks = client(session, "elasticache", "standard")
        self.secrets = client(session, "secretsmanager", "standard")
        self.pool = ThreadPoolExecutor(THREADS)
        #: What comes next for each group whose change is under way. A dict's single operations are safe in threads.
        self.waiting: dict[str, Callable[[], None]] = {}
        self.running: set[Future[None]] = set()

    def run(self, groups: list[str]) -> None:
        """Rotate all; raises what the first one raised."""
        for group in groups:
            self.submit(lambda group=group: self.begin(group))  # type: ignore[misc]
        while self.running or self.waiting:
            time.sleep(self.poll_seconds)
            self.look()
            for future in [one for one in self.running if one.done()]:
                self.running.remove(future)
                future.result()
        self.pool.shutdown()

    def submit(self, work: Callable[[], None]) -> None:
        """Let a thread do it."""
        self.running.add(self.pool.submit(work))

    def look(self) -> None:
        """Go on with the groups whose change has ended."""
        asked = set(self.waiting)  # a change that is made while the pages come may not show in them yet
        if not asked:
            return
        pages = self.looks.get_paginator("describe_replication_groups").paginate(PaginationConfig={"PageSize": 100})
        for page in pages:
            for shown in page["ReplicationGroups"]:
                settled = shown["Status"] == "available" and not shown.get("PendingModifiedValues")
                if settled and shown["ReplicationGroupId"] in asked:
                    self.submit(self.waiting.pop(shown["ReplicationGroupId"]))

    def modify(self, group: str, token: str, strategy: str, then: Callable[[], None]) -> None:
        """Change the token, and go on ``then``."""
        self.changes.modify_replication_group(
            ReplicationGroupId=group, AuthToken=token, AuthTokenUpdateStrategy=strategy, ApplyImmediately=True
        )
        self.waiting[group] = then

    def begin(self, group: str) -> None:
        """Store a new token beside the old one, and let it be accepted too."""
        name = f"elasticache/{group}/auth-token"
        current = self.secrets.get_secret_value(SecretId=name)
        token = secrets.token_hex(32)
        text = json.dumps({**json.loads(current["SecretString"]), KEY: token})
        pending = self.secrets.put_secret_value(SecretId=name, SecretString=text, VersionStages=["AWSPENDING"])
        self.modify(
            group, token, "ROTATE", lambda: self.finish(group, name, token, current["VersionId"], pending["VersionId"])
        )

    def finish(self, group: str, name: str, token: str, old: str, new: str) -> None:
        """Give it to the clients, and let it alone be accepted."""
        self.secrets.update_secret_version_stage(
            SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=new, RemoveFromVersionId=old
        )
        self.modify(group, token, "SET", lambda: None)


def main(poll_seconds: float, lines: list[str]) -> None:
    """Rotate them all; raises what the first one raised."""
    regions: dict[str, list[str]] = {}
    for region, group in map(str.split, lines):
        regions.setdefault(region, []).append(group)
    with ThreadPoolExecutor(len(regions)) as pool:
        # boto3 makes one session at a time.
        rotations = [Rotation(region, poll_seconds) for region in regions]
        for future in [pool.submit(one.run, ids) for one, ids in zip(rotations, regions.values(), strict=True)]:
            future.result()


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]).read_text("utf-8").splitlines())
