# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Every refusal of the API, with its code and its message.

The words of those that cite elasticache-facts §3 are AWS's. The others are not known; theirs are ours, in AWS's manner.
The HTTP status follows from the code, by botocore's service model.
"""

from __future__ import annotations

import enum

from moto.core.exceptions import ServiceException


class ElastiCacheError(ServiceException):
    """An answer of the API that is an error: ``code`` and ``message``."""


class Refusal(enum.Enum):
    """A reason to refuse: ``(wire code, message)``; a message may have places to fill."""

    # elasticache-facts §3, word for word
    BAD_TOKEN = ("InvalidParameterValue", "Invalid AuthToken provided.")
    CREATE_TOKEN_WITHOUT_TLS = (
        "InvalidParameterValue",
        "The AUTH token is only supported when encryption-in-transit is enabled",
    )
    MODIFY_TOKEN_WITHOUT_TLS = (
        "InvalidParameterValue",
        "The AUTH token modification is only supported when encryption-in-transit is enabled.",
    )
    DELETE_WITHOUT_GROUP = ("InvalidParameterValue", "Auth token update strategy delete is not supported currently")
    GROUP_WHILE_TOKEN = (
        "InvalidParameterCombination",
        "User group can't be associated with auth token enabled. Pass AuthStrategy delete to proceed.",
    )
    TOKEN_WHILE_GROUP = (
        "InvalidParameterCombination",
        "Auth tokens can't be enabled with a user group already associated. Pass RemoveUserGroups to proceed.",
    )
    GROUP_WITHOUT_TLS = (
        "InvalidParameterCombination",
        "User group based access control requires encryption-in-transit to be enabled on the replication group.",
    )
    TLS_WHILE_ACCESS_CONTROL = (
        "InvalidParameterCombination",
        "Modification of transit encryption is not supported for access control enabled clusters.",
    )
    TLS_NOT_IMMEDIATELY = (
        "InvalidParameterValue",
        "Transit encryption modification should be called with applied immediately option.",
    )
    TLS_OFF_TO_REQUIRED = (
        "InvalidParameterCombination",
        (
            "Direct transition from transit-encryption-disabled to transit-encryption-enabled is not allowed. "
            "Update the cluster to transit-encryption-mode preferred prior to enabling transit encryption."
        ),
    )
    MODIFY_NOT_AVAILABLE = (
        "InvalidReplicationGroupState",
        "Replication group must be in available state to modify.",
    )
    TAGS_NOT_AVAILABLE = (
        "InvalidReplicationGroupState",
        "Cluster not in available state to perform tagging operations.",
    )
    NOTHING_TO_CHANGE = ("InvalidParameterCombination", "No modifications were requested.")
    USER_BUSY = ("InvalidUserState", "User {id} has status {status}. Only active users can be modified.")
    USER_GROUP_BUSY = (
        "InvalidUserGroupState",
        "User group {id} has status {status}. Only active user groups can be modified.",
    )
    DEFAULT_USER_REQUIRED = (
        "DefaultUserRequired",
        "Redis user group needs to contain a user with the user name default.",
    )
    NO_PASSWORD_USER_IN_VALKEY_GROUP = (
        "InvalidParameterCombination",
        "No password user {id} cannot be added to user group with engine Valkey",
    )
    NOT_A_MEMBER = ("InvalidParameterValue", "User {id} is not a member of user group {group}.")
    THIRD_PASSWORD = ("InvalidParameterValue", "Maximum number of passwords allowed in this service is 2.")
    PASSWORD_LENGTH = ("InvalidParameterValue", "Passwords length must be between 16-128 characters.")
    CACHE_CLUSTER_VALKEY = (
        "InvalidParameterValue",
        "This API doesn't support Valkey engine. Please use CreateReplicationGroup API for Valkey cluster creation.",
    )
    CACHE_CLUSTER_TLS = ("InvalidParameterCombination", "Encryption feature is not supported for engine REDIS.")
    # elasticache-facts §1; the code is ours
    NOTHING_TO_SET = ("InvalidParameterValue", "There is no AUTH token to SET")
    # Variants: the words are not known
    SET_NOT_ROTATED = (
        "InvalidParameterValue",
        "The AUTH token to SET must be the one provided with the last ROTATE.",
    )
    SET_ALREADY_SET = ("InvalidParameterValue", "The AUTH token is already SET.")
    ROTATE_LIVE = ("InvalidParameterValue", "The AUTH token is already in use.")
    ENGINE_UNSUPPORTED_VERSION = (
        "InvalidParameterCombination",
        "AUTH token modification is not supported for engine {engine} version {version}.",
    )
    ENGINE_MINIMUM_VERSION = (
        "InvalidParameterValue",
        "Modifying the AUTH token requires engine version {minimum} or later.",
    )
    # The words are not known: ours
    CREATE_TOKEN_ENGINE = (
        "InvalidParameterCombination",
        "The AUTH token is not supported for engine {engine} version {version}.",
    )
    GROUP_ENGINE_VERSION = (
        "InvalidParameterCombination",
        "User group based access control is not available for engine {engine} version {version}.",
    )
    GROUP_ENGINE = (
        "InvalidParameterCombination",
        "User group {id} with engine {group_engine} can't be associated with a replication group with engine {engine}.",
    )
    SECOND_GROUP = ("InvalidParameterValue", "Only one user group can be associated with a replication group.")
    GROUP_NOT_ASSOCIATED = (
        "InvalidParameterValue",
        "User group {id} is not associated with replication group {replication_group}.",
    )
    DELETE_WITH_TOKEN = (
        "InvalidParameterCombination",
        "AuthToken can't be provided with auth token update strategy delete.",
    )
    SECONDARY_TOKEN = (
        "InvalidParameterCombination",
        "The AUTH token of a secondary member of a global replication group can't be modified.",
    )
    TLS_REQUIRED_TO_OFF = (
        "InvalidParameterCombination",
        (
            "Direct transition from transit-encryption-enabled to transit-encryption-disabled is not allowed. "
            "Update the cluster to transit-encryption-mode preferred prior to disabling transit encryption."
        ),
    )
    TLS_MODE_WITHOUT_TLS = (
        "InvalidParameterCombination",
        "TransitEncryptionMode can only be provided when encryption-in-transit is enabled.",
    )
    TLS_ENGINE = (
        "InvalidParameterCombination",
        "Modification of transit encryption is not supported for engine {engine} version {version}.",
    )
    NOT_IDENTIFIER = (
        "InvalidParameterValue",
        (
            "The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only "
            "ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        ),
    )
    MISSING = ("InvalidParameterValue", "The parameter {name} must be provided and must not be blank.")
    OUT_OF_RANGE = ("InvalidParameterValue", "The parameter {name} must be between {low} and {high}.")
    INVALID_VALUE = ("InvalidParameterValue", "Invalid value for parameter {name}.")
    COMBINATION = ("InvalidParameterCombination", "{why}")
    NO_VERSION = ("InvalidParameterCombination", "Cannot find version {version} for {engine}")
    NO_DOWNGRADE = (
        "InvalidParameterCombination",
        "Cannot upgrade or downgrade from {old} to {new}: it is not a later version.",
    )
    NO_REGION = ("SignatureDoesNotMatch", "Credential should be scoped to a valid region.")
    SUBNET_GROUP_EXISTS = ("CacheSubnetGroupAlreadyExists", "Cache Subnet Group {id} already exists.")
    SUBNET_GROUP_IN_USE = ("CacheSubnetGroupInUse", "Cache Subnet Group {id} is currently in use by a cache cluster.")
    PARAMETER_GROUP_EXISTS = ("CacheParameterGroupAlreadyExists", "CacheParameterGroup {id} already exists.")
    PARAMETER_GROUP_FIXED = (
        "InvalidParameterValue",
        "The parameter CacheParameterGroupName must not begin with default.",
    )
    PARAMETER_GROUP_IN_USE = ("InvalidCacheParameterGroupState", "CacheParameterGroup {id} is in use.")
    BAD_MARKER = ("InvalidParameterValue", "The marker is not valid.")
    BAD_ARN = ("InvalidARN", "The ARN {arn} is not a valid ElastiCache ARN.")
    TAG_QUOTA = ("TagQuotaPerResourceExceeded", "A resource can have at most 50 tags.")
    BAD_TAG = (
        "InvalidParameterValue",
        "Tag keys have 1-128 and tag values 0-256 characters, and no key starts with aws:",
    )
    NO_TAG = ("TagNotFound", "Tag {key} not found on {arn}.")
    NO_GROUP = ("ReplicationGroupNotFoundFault", "ReplicationGroup {id} not found.")
    GROUP_EXISTS = ("ReplicationGroupAlreadyExists", "Replication group {id} already exists.")
    DELETE_NOT_AVAILABLE = (
        "InvalidReplicationGroupState",
        "Replication group {id} has status {status} which is not valid for deletion.",
    )
    IN_GLOBAL_GROUP = (
        "InvalidReplicationGroupState",
        "Replication group {id} is a member of a global replication group.",
    )
    NO_CLUSTER = ("CacheClusterNotFound", "CacheCluster not found: {id}")
    CLUSTER_EXISTS = ("CacheClusterAlreadyExists", "Cache cluster {id} already exists.")
    CLUSTER_STATE = ("InvalidCacheClusterState", "Cache cluster {id} is not in a valid state to be deleted.")
    NO_SUBNET_GROUP = ("CacheSubnetGroupNotFoundFault", "Cache Subnet Group {id} does not exist.")
    NO_PARAMETER_GROUP = ("CacheParameterGroupNotFound", "CacheParameterGroup {id} not found.")
    PARAMETER_FAMILY = (
        "InvalidParameterCombination",
        "Expected a parameter group of family {expected} but found one of family {found}",
    )
    NO_USER = ("UserNotFound", "User {id} not found.")
    USER_EXISTS = ("UserAlreadyExists", "User {id} already exists.")
    USER_QUOTA = ("UserQuotaExceeded", "A user group can have at most 100 users.")
    USER_FIXED = ("InvalidParameterValue", "The user with the user id default can't be modified or deleted.")
    ALREADY_A_MEMBER = ("InvalidParameterValue", "User {id} is already a member of user group {group}.")
    USER_IS_DEFAULT = (
        "DefaultUserAssociatedToUserGroup",
        "User {id} is the default user of a user group and can't be deleted.",
    )
    DUPLICATE_USER_NAME = ("DuplicateUserName", "A user group can have only one user with the user name {name}.")
    USER_ENGINE = (
        "InvalidParameterCombination",
        "User {id} with engine valkey can't be in a user group with engine redis.",
    )
    NO_USER_GROUP = ("UserGroupNotFound", "User group {id} not found.")
    USER_GROUP_EXISTS = ("UserGroupAlreadyExists", "User group {id} already exists.")
    USER_GROUP_IN_USE = ("InvalidUserGroupState", "User group {id} is associated with a cache and can't be deleted.")
    NO_SERVERLESS = ("ServerlessCacheNotFoundFault", "Serverless cache {id} not found.")
    SERVERLESS_EXISTS = ("ServerlessCacheAlreadyExistsFault", "Serverless cache {id} already exists.")
    SERVERLESS_STATE = ("InvalidServerlessCacheStateFault", "Serverless cache {id} is not available.")
    NO_GLOBAL = ("GlobalReplicationGroupNotFoundFault", "Global replication group {id} not found.")
    GLOBAL_EXISTS = ("GlobalReplicationGroupAlreadyExistsFault", "Global replication group {id} already exists.")

    @property
    def code(self) -> str:
        """The code on the wire."""
        return self.value[0]

    def error(self, **places: object) -> ElastiCacheError:
        """The exception to raise, with the message's places filled. Never pass a token."""
        return ElastiCacheError(self.code, self.value[1].format(**places))
