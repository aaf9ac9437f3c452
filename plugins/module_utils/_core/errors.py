# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The error that every layer may raise."""

from __future__ import annotations


class AuthError(Exception):
    """Something a user must know; the message is complete, names the group and what to do, and holds no token."""
