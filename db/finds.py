"""What was found for filters in spans of time: kept in bounded memory, each until something in its span changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Generic, TypeVar

from db.results import Filter
from db.rollups import Rollups

_Span = TypeVar("_Span")
_Found = TypeVar("_Found")


class _OfFilter(Generic[_Span, _Found]):
    """What was found for one filter, and the rollups' version that all of it is true of."""

    __slots__ = ("found", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.found: OrderedDict[_Span, _Found] = OrderedDict()


class Finds(Generic[_Span, _Found]):
    """Keeps what was found, that of the filter which wasn't asked for longest the shortest.

    Args:
        rollups: Say which minutes changed.
        spans_of: Returns the spans that hold some minutes (epoch ms).
        weigh: Returns what something found counts as.
        most: How much is kept.
    """

    def __init__(
        self,
        rollups: Rollups,
        spans_of: Callable[[Iterable[int]], Iterable[_Span]],
        weigh: Callable[[_Found], int],
        *,
        most: int,
    ) -> None:
        self._rollups = rollups
        self._spans_of = spans_of
        self._weigh = weigh
        self._most = most
        self._lock = threading.Lock()  # protects the two below
        self._filters: OrderedDict[Filter, _OfFilter[_Span, _Found]] = OrderedDict()
        self._size = 0

    def of(self, filter: Filter, spans: Collection[_Span] | None = None) -> dict[_Span, _Found]:
        """Return what is still true.

        Args:
            filter: Whose.
            spans: Of these only; None for all.
        """
        with self._lock:
            own = self._filters.get(filter)
            if own is None:
                return {}
            self._filters.move_to_end(filter)
            self._follow(own, own.version)
            found = own.found
            if not found:
                del self._filters[filter]
            if spans is None:
                return dict(found)
            if len(spans) < len(found):
                return {span: found[span] for span in spans if span in found}
            return {span: found[span] for span in found if span in spans}

    def keep(self, filter: Filter, version: int, new: Mapping[_Span, _Found]) -> None:
        """Remember something.

        Args:
            filter: Whose.
            version: The rollups' version from before it was looked for: what changed since isn't kept.
            new: What was found, by span.
        """
        if not new:
            return
        with self._lock:
            own = self._filters.setdefault(filter, _OfFilter(version))
            self._filters.move_to_end(filter)
            gone = self._follow(own, min(own.version, version))
            if gone is not None:
                fresh = {span: found for span, found in new.items() if span not in gone} if gone else new
                for span in own.found.keys() & fresh.keys():
                    self._drop(own, span)
                own.found.update(fresh)
                self._size += sum(map(self._weigh, fresh.values()))
            while self._size > self._most and (len(self._filters) > 1 or len(own.found) > 1):
                oldest = next(iter(self._filters))
                of_oldest = self._filters[oldest].found
                if of_oldest:
                    self._size -= self._weigh(of_oldest.popitem(last=False)[1])
                if not of_oldest:
                    del self._filters[oldest]
            if not own.found:
                self._filters.pop(filter, None)

    def forget(self, filter: Filter, spans: Iterable[_Span]) -> None:
        """Remember something no longer.

        Args:
            filter: Whose.
            spans: What was found in these.
        """
        with self._lock:
            own = self._filters.get(filter)
            if own is not None:
                for span in spans:
                    self._drop(own, span)

    def _follow(self, own: _OfFilter[_Span, _Found], version: int) -> Collection[_Span] | None:
        """Forget what changed since a version, and return which spans did; None for any. The caller holds the lock."""
        own.version, changed = self._rollups.changes_since(version)
        if changed is None:
            for span in list(own.found):
                self._drop(own, span)
            return None
        gone = set(self._spans_of(changed)) if changed else set()
        for span in gone:
            self._drop(own, span)
        return gone

    def _drop(self, own: _OfFilter[_Span, _Found], span: _Span) -> None:
        if span in own.found:
            self._size -= self._weigh(own.found.pop(span))
