# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is required of clients' connections before SET: whether that makes sense, and how a plan says it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .._core.errors import AuthError
from .._core.operations import Operation, Step
from .request import OperationRequest, Reconnect

#: The operations after whose SET the token before, or none, is refused.
LOOKING = (
    Operation.ROTATE_TOKEN,
    Operation.ROLLBACK_TOKEN,
    Operation.ENABLE_AUTH,
    Operation.MIGRATE_RBAC_TO_AUTH,
)
#: Those during whose client cutover every new connection has to authenticate, so that ending one says something.
ENDING = (Operation.ROTATE_TOKEN, Operation.ROLLBACK_TOKEN)


def check_reconnect(request: OperationRequest) -> None:
    """Raise :class:`AuthError` for a requirement that can't be seen to."""
    required = request.require_reconnected is not Reconnect.REPORT
    if request.cutover_timeout < 0:
        raise AuthError(f"cutover_timeout: {request.cutover_timeout:g} is not possible; give seconds, 0 or more.")
    if request.disconnect_stale and request.operation not in ENDING:
        names = " and ".join(operation.value for operation in ENDING)
        raise AuthError(
            f"disconnect_stale is for {names}. With operation: {request.operation.value} a client that was "
            "disconnected need not authenticate anew, so that it would only look as if it had moved."
        )
    if required and request.operation not in LOOKING:
        names = ", ".join(operation.value for operation in LOOKING)
        raise AuthError(f"require_reconnected is for {names}: with the others no token is dropped by SET.")
    if (required or request.disconnect_stale) and request.inquiry.probing.mode == "never":
        option = "disconnect_stale" if request.disconnect_stale else "require_reconnected"
        raise AuthError(f"{option} needs the nodes to be asked, and probe: never asks none. Use probe: auto or always.")


def note_of(request: OperationRequest, steps: Sequence[Step]) -> str:
    """Return what a plan says of connections; empty where there is nothing to say."""
    if Step.SET not in steps or request.operation not in LOOKING:
        return ""
    said = []
    # Before user groups are removed SET can be held; after that everyone is served until SET, which waits for nobody.
    is_direct = request.operation is Operation.MIGRATE_RBAC_TO_AUTH and (
        Step.ROTATE_CURRENT not in steps or Step.CLIENT_CUTOVER in steps
    )
    if is_direct and request.require_reconnected is not Reconnect.REPORT:
        return "SET waits for no connection here: unauthenticated access is allowed until then."
    if request.disconnect_stale:
        said.append("Before SET, connections that predate the new token are ended, node by node (CLIENT KILL).")
    if request.require_reconnected is Reconnect.WAIT:
        said.append(f"SET waits up to {request.cutover_timeout:g} s until no connection predates the new token.")
    if request.require_reconnected is Reconnect.FAIL:
        said.append("There is no SET where a connection predates the new token.")
    return " ".join(said)
