# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What each session of botocore works out anew, kept for the process: a third of a module's processor time is that.

A module in the tests' process, and one that is a fork, makes up to five sessions, the emulator one more for each
service. Only what follows from botocore's own files and names alone is kept: the parsed models of services, the list of
services, which handlers take any argument, and what an event's name is an alias of. A service's regions are found
without its model, of which no more is needed than a name in its first lines; that of EC2 takes 0.3 s to read.
"""

from __future__ import annotations

import functools
import gzip
import re
from pathlib import Path
from typing import Any

import botocore.hooks
import botocore.loaders
import botocore.session

#: The services that modules call.
SERVICES = ("cloudwatch", "ec2", "elasticache", "resourcegroupstaggingapi", "secretsmanager", "sts")

_ENDPOINT_PREFIX = re.compile(rb'"endpointPrefix"\s*:\s*"([^"]*)"')
_FIRST_BYTES = 4096


@functools.cache
def remember() -> None:
    """Have botocore keep them, from now on."""
    read, services = botocore.loaders.JSONFileLoader.load_file, botocore.loaders.Loader.list_available_services
    aliaser = botocore.hooks.EventAliaser.__init__
    files: dict[str, Any] = {}
    lists: dict[tuple[str, ...], list[str]] = {}
    aliases: dict[str, str] = {}

    def load_file(self: Any, file_path: str) -> Any:
        if (found := files.get(file_path)) is None and (found := read(self, file_path)) is not None:
            files[file_path] = found
        return found

    def list_available_services(self: Any, type_name: str) -> list[str]:
        key = (type_name, *self.search_paths)
        if key not in lists:
            lists[key] = services(self, type_name)
        return list(lists[key])

    def begin(self: Any, event_emitter: Any, event_aliases: Any = None) -> None:
        aliaser(self, event_emitter, event_aliases)
        if event_aliases is None or event_aliases == botocore.hooks.EVENT_ALIASES:
            self._alias_name_cache = aliases

    def get_available_regions(
        self: Any, service_name: str, partition_name: str = "aws", allow_non_regional: bool = False
    ) -> list[str]:
        loader = self.get_component("data_loader")
        if service_name in loader.list_available_services("service-2"):
            service_name = _endpoint_prefix(loader, service_name)
        resolver = self._get_internal_component("endpoint_resolver")
        found: list[str] = resolver.get_available_endpoints(service_name, partition_name, allow_non_regional)
        return found

    botocore.session.Session.get_available_regions = get_available_regions  # type: ignore[method-assign]
    botocore.loaders.JSONFileLoader.load_file = load_file  # type: ignore[method-assign]
    botocore.loaders.Loader.list_available_services = list_available_services  # type: ignore[method-assign]
    botocore.hooks.EventAliaser.__init__ = begin  # type: ignore[method-assign]
    botocore.hooks.accepts_kwargs = functools.lru_cache(4096)(botocore.hooks.accepts_kwargs)


def _endpoint_prefix(loader: Any, service: str) -> str:
    """What a service is called in the list of endpoints: its model says so in its first lines."""
    version = loader.determine_latest_version(service, "service-2")
    for folder in loader.search_paths:
        for name, opened in (("service-2.json", open), ("service-2.json.gz", gzip.open)):
            path = Path(folder, service, version, name)
            if path.is_file():
                with opened(path, "rb") as file:
                    found = _ENDPOINT_PREFIX.search(file.read(_FIRST_BYTES))
                return found.group(1).decode() if found else service
    return service


def read_models() -> None:
    """Read all that the clients of modules do, so that no fork of this process has to."""
    session = botocore.session.get_session()
    for service in SERVICES:
        session.create_client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    for partition in session.get_available_partitions():
        session.get_available_regions("elasticache", partition)
