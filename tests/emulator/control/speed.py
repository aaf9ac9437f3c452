# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""What moto works out anew for every call, or for every member of every answer, and need not.

Measured on calls about one group: listing moto's folder took more than a third of a call, and looking for a response
class's methods a tenth. On a page of a hundred groups: guessing under which other names an object may have a member
(ours are dicts with the members' own names), and writing XML of groups that have not changed since the last page.
"""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import moto.backends
import moto.core.responses
from moto.core.responses import ActionContext, ActionResult
from moto.core.utils import method_names_from_class

#: More than the groups of a fleet, each in some states.
_KEPT = 10_000


def install() -> None:
    """Patch moto, once for the process."""
    modules = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: modules
    moto.core.responses.method_names_from_class = functools.cache(method_names_from_class)


def _pick(context: Any) -> Any:
    """A member of a dict of ours: it is there by its own name, or not at all."""
    return context.obj.get(context.key)


class PlainResult(ActionResult):
    """An answer that is made of dicts whose keys are botocore's member names, and of nothing else."""

    def execute_result(self, context: ActionContext) -> Any:
        """Serialise it."""
        return _serialised(context, self.result)


def _serialised(context: ActionContext, result: Any) -> tuple[int, Any, str]:
    serializer = context.serializer_class(operation_model=context.operation_model, value_picker=_pick)
    answer = serializer.serialize(result)
    return answer["status_code"], answer["headers"], str(answer["body"])


class _Written:
    """The XML of views, which never change once they are made: the last ones that were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[int, tuple[Mapping[str, Any], str]] = OrderedDict()

    def get(self, view: Mapping[str, Any]) -> str | None:
        with self._lock:
            found = self._texts.get(id(view))  # it can't be another's: the view itself is kept, too
            return found[1] if found else None

    def put(self, view: Mapping[str, Any], text: str) -> None:
        with self._lock:
            self._texts[id(view)] = (view, text)
            if len(self._texts) > _KEPT:
                self._texts.popitem(last=False)


_written = _Written()
#: Pages without their views, by their operation and whether there are any.
_pages: dict[tuple[str, bool], tuple[int, Mapping[str, str], str, str]] = {}


class ViewsPage(ActionResult):
    """A page of views, each a dict that stays as it is; one is written as XML once, however often it is shown."""

    def __init__(self, wrapper: str, views: Sequence[Mapping[str, Any]], rest: Mapping[str, Any]) -> None:
        super().__init__({wrapper: views, **rest})
        self._wrapper = wrapper
        self._views = views
        self._rest = rest
        self._inner = re.compile(f"(?<=<{wrapper}>).*(?=</{wrapper}>)", re.DOTALL)

    def execute_result(self, context: ActionContext) -> Any:
        """Put the views into a page."""
        status, headers, before, after = self._around(context)
        texts = "".join(self._text(context, view) for view in self._views)
        return status, dict(headers), f"{before}{texts}{after}"

    def _around(self, context: ActionContext) -> tuple[int, Mapping[str, str], str, str]:
        """The page without its views: written once where nothing else is in it (moto renews the request's id)."""
        key = (context.operation_model.name, bool(self._views))
        if not self._rest and key in _pages:
            return _pages[key]
        status, headers, body = _serialised(context, {self._wrapper: self._views[:1], **self._rest})
        parts = self._inner.split(body, maxsplit=1) if self._views else [body, ""]
        page = (status, dict(headers), parts[0], parts[1])
        if not self._rest:
            _pages[key] = page
        return page

    def _text(self, context: ActionContext, view: Mapping[str, Any]) -> str:
        text = _written.get(view)
        if text is None:
            found = self._inner.search(_serialised(context, {self._wrapper: [view]})[2])
            assert found is not None
            text = found.group()
            _written.put(view, text)
        return text
