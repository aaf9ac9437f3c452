# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    """What is needed where the modules run: as requirements.txt and README.md have it."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - python >= 3.10
  - boto3 >= 1.35.36
  - botocore >= 1.35.36
"""
