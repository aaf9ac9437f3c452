# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""The rows: one for each question that elasticache-facts raises, with the answer that it gives.

What an endpoint answers is not in here. The words of §3 are compared with docs/elasticache-facts.md by a test.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

PARAMETER, COMBINATION = "InvalidParameterValue", "InvalidParameterCombination"
GROUP_STATE = "InvalidReplicationGroupState"
NOAUTH = "NOAUTH Authentication required."
WRONGPASS = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
BAD_TOKEN = "Invalid AuthToken provided."
TOKEN_NEEDS_TLS = "The AUTH token modification is only supported when encryption-in-transit is enabled."
TLS_LOCKED = "Modification of transit encryption is not supported for access control enabled clusters."


class Source(enum.Enum):
    """Where a fact is from, by the letters of elasticache-facts."""

    WRITTEN = "D"  #: by AWS
    OBSERVED = "O"  #: by others, on AWS
    DEDUCED = "I"
    OPEN = "?"  #: nobody has shown it


@dataclass(frozen=True)
class Refused:
    """A refusal that is expected: the code and the words on the wire. Empty: any."""

    code: str = ""
    words: str = ""
    contains: bool = False  #: the words are only a part

    def __str__(self) -> str:
        """As the table shows it."""
        if not self.code and not self.words:
            return "refused"
        return f"{self.code}: {'…' if self.contains else ''}{self.words or '(any words)'}"

    def fits(self, code: str, words: str) -> bool:
        """Whether this refusal is the expected one."""
        same = self.words in words if self.contains or not self.words else self.words == words
        return code == (self.code or code) and same


@dataclass(frozen=True)
class Row:
    """One question. ``expected`` is what elasticache-facts says; several values are each in keeping with it.

    For a row with a ``variant`` the expectation is its value in the emulator; see ``expectation``.
    """

    name: str
    section: str
    question: str
    expected: Refused | tuple[str, ...] = ()
    source: Source = Source.WRITTEN
    variant: str = ""
    #: Why it is asked of no endpoint at all, or not of the emulator.
    never: str = ""
    not_emulated: str = ""

    def expectation(self, variants: Mapping[str, str]) -> Refused | tuple[str, ...]:
        """What is expected of an endpoint that has these variants."""
        return (variants[self.variant],) if self.variant else self.expected


def _value(name: str, section: str, question: str, *expected: str, source: Source = Source.WRITTEN) -> Row:
    return Row(name, section, question, expected, source)


def _open(variant: str, section: str, question: str) -> Row:
    return Row(variant, section, question, source=Source.OPEN, variant=variant)


def _refused(name: str, question: str, code: str = "", words: str = "", contains: bool = False, at: str = "§3") -> Row:
    return Row(name, at, question, Refused(code, words, contains), Source.OBSERVED)


def _never(name: str, section: str, question: str, why: str) -> Row:
    return Row(name, section, question, never=why)


_O, _I = Source.OBSERVED, Source.DEDUCED

_ACCESS = (
    _value("open-unauthenticated", "§1", "open: a client without a token", "served"),
    _value("open-auth", "§1", "open: AUTH t", NO_PASSWORD, source=_O),
    _open("open-auth-default", "§1", "open: AUTH default t, HELLO 3 AUTH default t"),
    _value("optional-unauthenticated", "§1", "optional: a client without a token", "served"),
    _value("optional-token", "§1", "optional: AUTH with the token", "OK"),
    _open("optional-wrong-token", "§1", "optional: AUTH with a wrong token"),
    _value("required-unauthenticated", "§1", "required: a client without a token", NOAUTH),
    _value("required-token", "§1", "required: AUTH t, AUTH default t", "OK"),
    _value("required-wrong-token", "§1", "required: AUTH with a wrong token", WRONGPASS),
    _value("rotating-unauthenticated", "§1", "rotating: a client without a token", NOAUTH),
    _value("rotating-tokens", "§1", "rotating: AUTH with each of the two tokens", "OK"),
    _value("rotate-open", "§1", "ROTATE on open leads to", "optional"),
    _value("rotate-optional", "§1", "ROTATE on optional leads to", "rotating", source=_O),
    _value(
        "rotate-rotating", "§1", "ROTATE on rotating(a, b): a, b and the new token", "a refused, b and new accepted"
    ),
    _value("set-newest", "§1", "SET of the newest of two tokens leads to", "required"),
    _refused("set-on-open", "SET on open", PARAMETER, "There is no AUTH token to SET", at="§1"),
    _open("set-other-value", "§1", "SET of another value: with which words it is refused"),
    _open("set-on-required", "§1", "SET(t) on required(t)"),
    _open("rotate-live-token", "§1", "ROTATE of a token that is live"),
    _open("rotate-same-twice", "§1", "the same ROTATE twice"),
    _value("delete-and-attach", "§1", "DELETE + UserGroupIdsToAdd, one call, leads to", "rbac"),
    _value("rbac-to-token", "§1", "RemoveUserGroups + AuthToken + ROTATE, one call, leads to", "optional"),
    _value("rbac-to-open", "§1", "UserGroupIdsToRemove of the last one leads to", "open"),
    _value("create-with-token", "§1", "CreateReplicationGroup with AuthToken leads to", "required"),
    _value("no-strategy", "§1", "AuthToken without a strategy means", "ROTATE"),
    _open("existing-connections", "§1", "connections of a token that ROTATE, SET end"),
    _value("rbac-bridge", "§6", "AUTH→RBAC with a user named default: AUTH t", "OK"),
    _value("rbac-user", "§1", "rbac: AUTH user password", "OK"),
    _value("rbac-unauthenticated", "§1", "rbac: a client without a password", NOAUTH),
    _value(
        "rbac-attach-connections",
        "§1",
        "connections while a user group with a default bridge is attached",
        "kept",
        source=_O,
    ),
    _value("rbac-password-connections", "§1", "connections of a user whose password changes", "kept"),
    _value(
        "rbac-removed-connections", "§1", "connections of a user who is removed from the group", "connection closed"
    ),
    _value("rbac-without-default", "§5", "VALKEY group without a user named default: AUTH t", WRONGPASS),
    _value("connection-commands", "§1", "CLIENT LIST, CLIENT INFO, ACL LOG, ACL WHOAMI", "answered"),
)

_SHOWN = (
    _value("status-rotating", "§2", "AuthTokenStatus while a ROTATE is in flight", "ROTATING"),
    _value("status-setting", "§2", "AuthTokenStatus while a SET is in flight", "SETTING"),
    _value("status-afterwards", "§2", "PendingModifiedValues once it is available", "empty"),
    _value("pending-user-groups", "§2", "PendingModifiedValues.UserGroups while one is attached", "UserGroupIdsToAdd"),
    _value("looks", "§2", "optional, required and rotating once available, but for the date", "identical"),
    _open("date-moves", "§2", "AuthTokenLastModifiedDate moves at which moment of a change"),
    _value("tokens-hidden", "§2", "tokens and passwords in the API's answers", "none"),
    _value("engine-version", "§2", "EngineVersion is on", "CacheCluster"),
)

_REFUSALS = (
    _refused("bad-token", "a token of 15 characters (create)", PARAMETER, BAD_TOKEN),
    _refused(
        "create-token-tls-off",
        "create with a token, TLS off",
        PARAMETER,
        "The AUTH token is only supported when encryption-in-transit is enabled",
    ),
    _refused("token-tls-off", "token modify, TLS off", PARAMETER, TOKEN_NEEDS_TLS),
    _refused("token-tls-preferred", "token modify, TLS preferred", PARAMETER, TOKEN_NEEDS_TLS),
    _refused("token-moving-to-required", "token in the call that moves TLS to required", PARAMETER, TOKEN_NEEDS_TLS),
    _refused("token-empty", "an empty token", PARAMETER, TOKEN_NEEDS_TLS),
    _refused(
        "delete-without-group",
        "DELETE without a group to add",
        PARAMETER,
        "Auth token update strategy delete is not supported currently",
    ),
    _refused(
        "group-while-token",
        "group added while a token is on, no DELETE",
        COMBINATION,
        "User group can't be associated with auth token enabled. Pass AuthStrategy delete to proceed.",
    ),
    _refused(
        "token-while-group",
        "token while a group is attached, no removal",
        COMBINATION,
        "Auth tokens can't be enabled with a user group already associated. Pass RemoveUserGroups to proceed.",
    ),
    _refused(
        "group-tls-off",
        "user group without TLS",
        COMBINATION,
        "User group based access control requires encryption-in-transit to be enabled on the replication group.",
    ),
    _refused("tls-while-token", "a TLS member, unchanged, while a token is on", COMBINATION, TLS_LOCKED),
    _refused("tls-while-group", "a TLS member, unchanged, while a group is on", COMBINATION, TLS_LOCKED),
    _refused(
        "tls-not-immediately",
        "TLS change without ApplyImmediately",
        PARAMETER,
        "Transit encryption modification should be called with applied immediately option.",
    ),
    _refused(
        "tls-off-to-required",
        "TLS off → required at once",
        COMBINATION,
        "Direct transition from transit-encryption-disabled to transit-encryption-enabled is not allowed. Update the "
        "cluster to transit-encryption-mode preferred prior to enabling transit encryption.",
    ),
    _refused(
        "modify-in-flight",
        "modify while not available",
        GROUP_STATE,
        "Replication group must be in available state to modify.",
    ),
    _refused(
        "tags-listed-in-flight",
        "list tags while not available",
        GROUP_STATE,
        "Cluster not in available state to perform tagging operations.",
    ),
    _refused(
        "tags-written-in-flight",
        "write tags while not available",
        GROUP_STATE,
        "Cluster not in available state to perform tagging operations.",
    ),
    _refused("nothing-to-change", "nothing to change", COMBINATION, "No modifications were requested", contains=True),
    _refused(
        "user-busy",
        "user busy",
        "InvalidUserState",
        "User <id> has status modifying. Only active users can be modified.",
    ),
    _refused(
        "user-group-busy",
        "user group busy",
        "InvalidUserGroupState",
        "User group <id> has status modifying. Only active user groups can be modified.",
    ),
    _refused(
        "default-user-required",
        "redis group without a user named default",
        "DefaultUserRequired",
        "Redis user group needs to contain a user with the user name default.",
    ),
    _refused(
        "no-password-valkey",
        "no-password user into a valkey group",
        COMBINATION,
        "No password user <id> cannot be added to user group with engine Valkey",
    ),
    _refused("not-a-member", "remove a non-member", PARAMETER, "is not a member of user group", contains=True),
    _refused(
        "third-password", "third password", PARAMETER, "Maximum number of passwords allowed in this service is 2."
    ),
    _refused(
        "password-length",
        "user password of 15 characters",
        PARAMETER,
        "Passwords length must be between 16-128 characters.",
    ),
    _refused(
        "cache-cluster-valkey",
        "CreateCacheCluster, valkey",
        PARAMETER,
        "This API doesn't support Valkey engine. Please use CreateReplicationGroup API for Valkey cluster creation.",
    ),
    _refused(
        "cache-cluster-tls",
        "CreateCacheCluster, redis, TLS",
        COMBINATION,
        "Encryption feature is not supported for engine REDIS.",
    ),
    _refused("group-not-found", "describe a replication group that isn't there", "ReplicationGroupNotFoundFault"),
    _refused("user-group-not-found", "describe a user group that isn't there", "UserGroupNotFound"),
    _refused("user-not-found", "describe a user who isn't there", "UserNotFound"),
    _open("engine-too-old", "§3", "token modify on an engine that is too old: with which words it is refused"),
)

_LIMITS = (
    _value(
        "modify-answer",
        "§4",
        "the answer of ModifyReplicationGroup shows the change, or the state before it",
        "modifying",
        "available",
        source=_O,
    ),
    _value("statuses", "§4", "statuses of a replication group", "all of them known", source=_O),
    Row(
        "endpoint-name",
        "§4",
        "the endpoint's host name at TLS preferred → required",
        ("changes",),
        Source.OBSERVED,
        not_emulated="the emulator's endpoints are addresses on loopback",
    ),
    _refused("create-token-underscore", "create with _ in the token", PARAMETER, BAD_TOKEN, at="§5"),
    _open("modify-wider-token", "§5", "a modify with _ in the token"),
    _value("at-rest-valkey", "§5", "encryption at rest of Valkey, by default", "on", source=_O),
    _value("at-rest-redis", "§5", "encryption at rest of Redis OSS, by default", "off", source=_O),
    _value("newest-engine", "§5", "newest Valkey", "9.1", source=_O),
    _value("default-user", "§5", "the user id default is AWS's own", "there"),
    _value("lower-case", "§5", "an identifier with capital letters is stored", "in lower case"),
    _refused("double-hyphen", "an identifier with --", PARAMETER, at="§5"),
    _refused("page-too-small", "DescribeReplicationGroups, 19 a page", at="§5"),
    _refused("page-too-large", "DescribeReplicationGroups, 101 a page", at="§5"),
    _refused("iam-user-name", "IAM user whose id is not its name", at="§5"),
    _refused("label-without-holder", "UpdateSecretVersionStage without RemoveFromVersionId", at="§5"),
    _value("label-with-holder", "§5", "UpdateSecretVersionStage with the right RemoveFromVersionId", "moved"),
    _value("versions-without-label", "§5", "DescribeSecret shows a version without a label", "no"),
)

_NEVER = (
    _never("secondary-token", "§5", "token modify on a global datastore's secondary",
           "it takes a second region and nodes larger than the smallest"),
    _never("serverless", "§5", "serverless caches: RBAC only", "it takes a serverless cache"),
    _never("users-a-group", "§5", "100 users a group", "it takes 101 users"),
    _never("throttling", "§3", "Throttling: Rate exceeded", "provoking it would disturb others in the account"),
    _never("create-failed", "§4", "create-failed", "a creation can't be made to fail on purpose"),
    _never("iam-tokens", "§6", "IAM: token for 15 minutes, connection for 12 hours", "it takes 12 hours"),
    _never("wrong-subnet", "§5", "AUTH takes a VPC", "there is no region any more without one"),
)  # fmt: skip

ROWS: Mapping[str, Row] = {row.name: row for row in (*_ACCESS, *_SHOWN, *_REFUSALS, *_LIMITS, *_NEVER)}
