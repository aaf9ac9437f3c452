# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """How the nodes of a group are asked."""

    DOCUMENTATION = r"""
options:
  data_plane_ca_path:
    description:
      - A PEM file with certificate authorities that the nodes' certificates are trusted by, besides the system's.
      - A node whose certificate is not trusted always is an error; no token is sent to it.
    type: path
  data_plane_timeout:
    description:
      - How long a node may take, in seconds, to be connected, and then as long again for TLS and all of its answers.
      - The limit is one for the whole exchange, so a node that answers a byte at a time counts as out of reach, too.
    type: float
    default: 5
"""

    PROBE = r"""
options:
  probe:
    description:
      - Whether to ask the nodes which tokens they accept, by AUTH on a connection of its own that does nothing else.
      - V(auto) asks where the network leads to them; otherwise the record has to do.
      - V(always) fails for a group of which a node can't be asked.
      - V(never) asks none. A token that is refused counts in the metric C(AuthenticationFailures) of the group;
        V(never) keeps that clean.
    type: str
    choices: [auto, always, never]
    default: auto
"""
