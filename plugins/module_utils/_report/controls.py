# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controls of Security Hub, AWS Config and CIS that judge what a finding of the audit is about.

A control may pass where the audit has a finding: AWS's see whether a group has a token, and not whether it asks for it.
Sources: AWS Security Hub User Guide, "Controls for ElastiCache"; AWS Config Developer Guide, the managed rules of these
names; CIS AWS Database Services Benchmark v1.0.0, section 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .._core.posture import Facts, Kind

SECURITY_HUB = "AWS Security Hub"
CONFIG = "AWS Config"
CIS = "CIS AWS Database Services Benchmark v1.0.0"


@dataclass(frozen=True)
class Control:
    """A control: who has it, its id there, and what it asks for."""

    framework: str
    id: str
    title: str

    @property
    def name(self) -> str:
        """Return it as findings name it, for example ``AWS Security Hub ElastiCache.6``."""
        return f"{self.framework} {self.id}"


_AUTH_OF_OLD_ENGINES = (
    Control(SECURITY_HUB, "ElastiCache.6", "Replication groups of Redis OSS before 6.0 should have AUTH enabled"),
    Control(CONFIG, "elasticache-repl-grp-redis-auth-enabled", "Groups of Redis OSS before 6 have AUTH enabled"),
)
_RBAC = (Control(CONFIG, "elasticache-rbac-auth-enabled", "Groups of Redis OSS 6 and later have user groups"),)
_ACCESS = (Control(CIS, "5.8", "Ensure Authentication and Access Control is Enabled"),)
_ENCRYPTION_OF_GROUPS = (
    Control(SECURITY_HUB, "ElastiCache.5", "Replication groups should be encrypted in transit"),
    Control(CONFIG, "elasticache-repl-grp-encrypted-in-transit", "Groups have encryption in transit enabled"),
)
_ENCRYPTION = (Control(CIS, "5.3", "Ensure Encryption at Rest and in Transit is configured"),)

#: All of them, in the order in which findings name them.
CONTROLS = (*_AUTH_OF_OLD_ENGINES, *_RBAC, *_ENCRYPTION_OF_GROUPS, *_ACCESS, *_ENCRYPTION)

#: What the kinds of findings are about; no control judges those that are not here.
_ABOUT_ACCESS = frozenset({Kind.OPEN, Kind.OPTIONAL, Kind.NO_PASSWORD_USERS, Kind.UNKNOWN})
_ABOUT_ENCRYPTION = frozenset({Kind.TLS_OFF, Kind.TLS_PREFERRED})

#: The name of each kind, as a title.
TITLES: Mapping[Kind, str] = {
    Kind.OPEN: "Unauthenticated access is allowed: neither a token nor user groups",
    Kind.OPTIONAL: "Unauthenticated access is allowed: the token is optional",
    Kind.NO_PASSWORD_USERS: "Users of the user groups need no password",
    Kind.TLS_OFF: "Encryption in transit is off",
    Kind.DRIFT: "The token was changed by someone else",
    Kind.UNKNOWN: "It is not known who is accepted",
    Kind.ROTATING: "A token rotation is incomplete: two tokens are accepted",
    Kind.TOKEN_AGE: "The token is older than the limit",
    Kind.TLS_PREFERRED: "Encryption in transit is preferred, and not required",
    Kind.ENGINE_TOO_OLD: "The engine is too old to change its access control",
    Kind.CREATE_FAILED: "The creation failed",
    Kind.NOT_AVAILABLE: "The group is being changed",
    Kind.SERVERLESS: "A serverless cache has user groups only",
}


def controls_of(kind: Kind, facts: Facts) -> tuple[Control, ...]:
    """Return the controls that judge what a finding is about; none where there is none.

    AWS's rules look at replication groups, and not at serverless caches. Which of the two on authentication applies
    follows from the engine's version; without one, neither is named.
    """
    if kind in _ABOUT_ENCRYPTION:
        return (*(() if facts.serverless else _ENCRYPTION_OF_GROUPS), *_ENCRYPTION)
    if kind not in _ABOUT_ACCESS:
        return ()
    major = re.match(r"\d{1,9}", facts.engine_version)
    if facts.serverless or not major:
        return _ACCESS
    return (*(_AUTH_OF_OLD_ENGINES if int(major.group()) < 6 else _RBAC), *_ACCESS)
