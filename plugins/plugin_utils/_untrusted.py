# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that others wrote (AWS, a node, a secret, whoever may tag a group) reaches Ansible as text, never as a template.

Which text could be a template is not ours to tell: besides C({{), C({%) and C({#) there is the header C(#jinja2:),
which sets any other delimiters. So all of it is marked, whatever is in it.

Before ansible-core 2.19 every text is a template that isn't marked as unsafe, and a mark goes with the object: a new
text made of a marked one has none, unless Ansible's own templating made it of a variable that it saw. Since 2.19 no
text is a template that isn't marked as trusted, and a new text has no such mark.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import ansible.template
from ansible.utils.unsafe_proxy import wrap_var

#: Whether Ansible marks what it trusts (2.19 and later), and not what it does not trust.
MARKS_TRUST = hasattr(ansible.template, "trust_as_template")


def untrusted(value: Any) -> Any:
    """Return ``value`` with no text in it that Ansible would take for a template, keys of dictionaries included."""
    return wrap_var(value)


def returning_untrusted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter whose result is :func:`untrusted`, for filters that make texts out of others' texts.

    Since ansible-core 2.19 these are so anyway, and looking through a large result would only take time.
    """
    if MARKS_TRUST:
        return function

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return untrusted(function(*args, **kwargs))

    return wrapped
