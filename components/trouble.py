"""Trouble: a part of a page that can't be computed says so in its own place, and the rest of the page goes on.

Only what may fail alone is computed through here. A database that doesn't answer is nobody's trouble alone: it goes on
to whoever shows the banner.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeAlias

from components.content import Content
from components.row_leads import rows_content
from db.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

Note: TypeAlias = Callable[[str, Exception], None]

_LONGEST_REASON: Final = 140


class Troubles:
    """Counts what failed, and writes each kind of failure of a part into the log once, with its traceback."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # protects _counts and _written
        self._counts: Counter[str] = Counter()
        self._written: set[tuple[str, type[Exception]]] = set()

    def note(self, part: str, trouble: Exception) -> None:
        """Count a failure.

        Args:
            part: Id of what couldn't be computed.
            trouble: Why.
        """
        with self._lock:
            self._counts[part] += 1
            new = (part, type(trouble)) not in self._written
            self._written.add((part, type(trouble)))
        if new:  # a live page tries again many times a second
            log.error("%s can't be computed; it is tried again, and logged once", part, exc_info=trouble)

    def stats(self) -> Mapping[str, Any]:
        """Return how often parts of pages failed: of all, and by part."""
        with self._lock:
            return {"partsFailed": self._counts.total(), "failedParts": dict(self._counts)}


# Whoever computes a page says where its troubles are counted; a context of its own for each thread.
_noted: ContextVar[Note] = ContextVar("noted", default=Troubles().note)


@contextmanager
def noting(note: Note) -> Iterator[None]:
    """Tell `note` of every trouble met within.

    Args:
        note: (part, exception) -> None; must not raise.
    """
    before = _noted.set(note)
    try:
        yield
    finally:
        _noted.reset(before)


def attempt(part: str, compute: Callable[[], Content], instead: Callable[[str], Content]) -> Content:
    """Compute a part of a page; when that fails, note it and show something else in its place.

    Args:
        part: Id of the part, for the log and the count.
        compute: Returns its content.
        instead: (reason, a line) -> what to show, under the same ids.

    Raises:
        DatabaseUnavailable: The page as a whole can't be computed.
    """
    try:
        return compute()
    except DatabaseUnavailable:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the other parts are worth showing; noted, not swallowed
        _noted.get()(part, exc)
        return instead(reason_of(exc))


def table_part(id: str, compute: Callable[[], dict[str, Any]], *, leads: bool = True) -> Content:
    """Compute a table; one that fails is a single line that says so.

    Args:
        id: Its id.
        compute: Returns its live props, as `table_props` does.
        leads: Whether its rows lead somewhere.
    """

    def computed() -> Content:
        rows = compute()
        return {id: rows, **rows_content(id, rows)}

    return attempt(id, computed, lambda reason: {id: _failed(reason), **_no_buttons(id, leads)})


def cut_table_part(
    id: str, compute: Callable[[], tuple[dict[str, Any], dict[str, Any]]], *, leads: bool = True
) -> Content:
    """Compute a table with the line below it that says how much more there is, `<id>-more`.

    Args:
        id: The table's id.
        compute: Returns its live props, as `table_props` does, and those of the line, as `more_props` does.
        leads: Whether its rows lead somewhere.
    """

    def computed() -> Content:
        rows, more = compute()
        return {id: rows, f"{id}-more": more, **rows_content(id, rows)}

    return attempt(
        id,
        computed,
        lambda reason: {id: _failed(reason), f"{id}-more": {"children": ""}, **_no_buttons(id, leads)},
    )


def _no_buttons(id: str, leads: bool) -> Content:
    """Take away what stood beside the rows: there are none now."""
    return rows_content(id, {"data": {"leads": []}}) if leads else {}


def _failed(reason: str) -> dict[str, Any]:
    return {"data": {"head": [], "body": [[f"✕ This table couldn’t be computed. {reason}"]]}}


def has_rows(content: Content) -> bool:
    """Return whether any table has something to say, be it its trouble.

    Args:
        content: Tables' ids with their props.
    """
    return any(props["data"]["body"] for props in content.values() if "data" in props)


def reason_of(trouble: Exception) -> str:
    """Say in a short line what went wrong.

    Args:
        trouble: The exception.
    """
    first = next(iter(str(trouble).splitlines()), "").strip()
    said = f"{type(trouble).__name__}: {first}" if first else type(trouble).__name__
    return said if len(said) <= _LONGEST_REASON else said[: _LONGEST_REASON - 1] + "…"
