# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The tests ``valid_auth_token`` and ``strong_auth_token``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.elasticache.auth.plugins.module_utils._core.tokens import (
    MissingDictionaryError,
    advice_violations,
    rule_violations,
)


def valid_auth_token(value: Any) -> bool:
    """Whether ElastiCache accepts ``value`` as an AUTH token."""
    return isinstance(value, str) and not rule_violations(value)


def strong_auth_token(value: Any, recent: str | Iterable[str] = ()) -> bool:
    """Whether ``value`` is valid and follows AWS's advice. Raises AnsibleFilterError without the library zxcvbn."""
    try:
        others = [recent] if isinstance(recent, str) else list(recent)
        return valid_auth_token(value) and not advice_violations(value, others)
    except MissingDictionaryError as error:
        raise AnsibleFilterError(f"strong_auth_token: {error}") from None


class TestModule:
    """What Ansible loads."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Return the tests by name."""
        return {"valid_auth_token": valid_auth_token, "strong_auth_token": strong_auth_token}
