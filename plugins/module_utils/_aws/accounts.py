# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other accounts, through roles, and the regions that an account has."""

from __future__ import annotations

import contextlib
import re
from typing import Any

with contextlib.suppress(ImportError):  # Whoever makes clients tells the user.
    import boto3.session

from .._core.errors import AuthError
from .._stop import stop_of_process
from .clients import Clients, Credentials
from .errors import code_of, explain, words_of

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")
_SESSION_NAME = "elasticache-auth"


def account_of_role(arn: str) -> str | None:
    """Return the account's number in the ARN of a role; ``None`` for what is no such ARN."""
    found = _ROLE.fullmatch(arn)
    return found.group(1) if found else None


def clients_of(module: Any, *, region: str | None = None, role: str | None = None) -> Clients:
    """Return the clients for a module, those of the role in its O(assume_role_arn) where it has one.

    ``region`` and ``role``: others than the module's own. The role is assumed when the first call is made, which raises
    :class:`AuthError` where it can't be. They make no changing call once the module's run must end.
    """
    stop = stop_of_process()
    clients, arn = Clients(module, region=region, stop=stop), role or module.params.get("assume_role_arn")
    if not arn:
        return clients
    own = Clients(module, region=region, stop=stop)
    return clients.elsewhere(credentials=lambda: assume_role(own, arn))


def assume_role(clients: Clients, arn: str) -> Credentials:
    """Return credentials of the role, good for an hour. Raises :class:`AuthError`."""
    try:
        answer = clients.patiently(lambda: clients.sts.assume_role(RoleArn=arn, RoleSessionName=_SESSION_NAME))
    except Exception as error:
        why = explain(error, "sts:AssumeRole", clients.region)
        if code_of(error) == "AccessDenied":
            why = (
                f"sts:AssumeRole was refused in {clients.region}: AccessDenied: {words_of(error)} The role's trust "
                "policy must name these credentials, and their own policy must allow sts:AssumeRole on it."
            )
        raise AuthError(f"The role {arn} can't be assumed: {why}") from error
    given = answer["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def enabled_regions(clients: Clients, *, disabled_too: bool = False) -> list[str]:
    """Return the names of the regions that are enabled in the account. Raises :class:`AuthError`."""
    try:
        answer = clients.patiently(lambda: clients.ec2.describe_regions(AllRegions=disabled_too))
    except Exception as error:
        raise AuthError(explain(error, "ec2:DescribeRegions", clients.region)) from error
    return sorted(region["RegionName"] for region in answer["Regions"])


def regions_known_to_boto3() -> set[str]:
    """Return the regions that this release of boto3 knows, in all partitions; AWS may have newer ones."""
    session = boto3.session.Session()
    return {
        region
        for partition in session.get_available_partitions()
        for service in ("elasticache", "ec2")
        for region in session.get_available_regions(service, partition_name=partition)
    }
