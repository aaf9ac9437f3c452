# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What nobody has shown of the data plane (the **?** of elasticache-facts §1), asked anew at each use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator.access import Access
from emulator.data_plane.credentials import WrongTokenInOptional


@dataclass(frozen=True)
class Variants:
    """Callables, because the settings may change while the emulator runs."""

    wrong_token_in_optional: Callable[[], str]  #: a value of WrongTokenInOptional
    drop_connections_on_token_change: Callable[[], bool]

    def wrong_token(self) -> WrongTokenInOptional:
        """The answer to a wrong token in ``optional``."""
        return WrongTokenInOptional(self.wrong_token_in_optional())

    def drops_connections(self, before: Access, after: Access) -> bool:
        """Whether this change of access ends the connections in place."""
        changed = before.users is None and after.users is None and before.slots != after.slots
        return changed and self.drop_connections_on_token_change()
