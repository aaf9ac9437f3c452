# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""Ansible's plugins in the process of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder


@pytest.fixture(scope="module")
def plugin_loader() -> Iterator[None]:
    """Let Ansible find its plugins. Its way to import collections would be in the way of the tests after these."""
    init_plugin_loader([])
    yield
    _AnsibleCollectionFinder._remove()
    sys.path_importer_cache.clear()
