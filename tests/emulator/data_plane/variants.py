# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What nobody has shown of the data plane (the **?** of elasticache-facts §1), asked anew at each use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emulator.access import Access
from emulator.data_plane.credentials import Unsettled, WrongTokenInOptional


@dataclass(frozen=True)
class Variants:
    """Callables, because the settings may change while the emulator runs."""

    wrong_token_in_optional: Callable[[], str]  #: a value of WrongTokenInOptional
    drop_connections_on_token_change: Callable[[], bool]
    open_takes_default: Callable[[], bool]  #: whether an open node takes any password of ``default``, named outright

    def unsettled(self) -> Unsettled:
        """How the questions about credentials turn out at present."""
        return Unsettled(WrongTokenInOptional(self.wrong_token_in_optional()), self.open_takes_default())

    def drops_connections(self, before: Access, after: Access) -> bool:
        """Whether this change of access ends the connections in place."""
        changed = before.users is None and after.users is None and before.slots != after.slots
        return changed and self.drop_connections_on_token_change()
