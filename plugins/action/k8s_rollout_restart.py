# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run the module of the same name, as long as ansible-playbook is there."""

from __future__ import annotations

from ansible_collections.elasticache.auth.plugins.plugin_utils._cutover import CutoverAction


class ActionModule(CutoverAction):
    """See the documentation of M(elasticache.auth.k8s_rollout_restart)."""
