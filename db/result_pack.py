"""The bytes that rows which didn't go well are kept as beside those by URL: those that ended alike side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from db.rest_pack import RestValues, Result
from db.results import Filter, IntArray
from db.url_layout import OF_EACH
from db.url_pack import Found, UrlIndex
from db.url_packing import Packing

RESULTS = "ends"  # as in db.url_layout: what is kept once for a span
RESULT_ROWS = "ends.rows"
RESULT_REST = "ends.rest"
_VERSION = 0x0406  # of no other pack
_IN_PLANES, _TOLD_TOGETHER = 0x0402, 0x0404  # earlier ones
_REST = ("url", "run", "fields", "data_size")


class ResultPacking(Packing):
    """As `db.url_packing.Packing`, for the rows that a question for outcomes or errors is about: the bad ones."""

    VERSION = _VERSION
    KEY = "result"
    ROWS, REST = OF_EACH, _REST

    def _chosen(self, values: RestValues) -> IntArray:
        bad = np.array([not is_good(result) for result in values.told[0]], dtype=np.bool_)
        return np.flatnonzero(bad[values.codes["result"]])

    def _owners(self, urls: int) -> None:
        """Keep nothing: these aren't all rows of a URL."""


class ResultIndex(UrlIndex):
    """As `db.url_pack.UrlIndex`; `Found.urls` are the numbers of results."""

    VERSION = _VERSION
    OLD_VERSIONS = (_IN_PLANES, _TOLD_TOGETHER)
    ROWS, REST, OLD_REST = OF_EACH, _REST, _REST

    @property
    def tells_results(self) -> bool:
        """Always: they are what rows are kept by."""
        return True

    def rows_ended(self, is_wanted: Callable[[Result], bool]) -> Found:
        """Return which of its rows ended in some ways.

        Args:
            is_wanted: Says whether a result is one of these.
        """
        wanted = [number for number, result in enumerate(self._results) if is_wanted(result)]
        return self._found(np.array(wanted, dtype=np.int64))


def is_good(result: Result) -> bool:
    """Say whether a row that ended so isn't kept by its result."""
    success, _, _, outcome, _ = result
    return success and outcome in (None, "ok")


def asks_for_bad(filter: Filter) -> bool:
    """Say whether every row that a filter lets through is kept by its result.

    Args:
        filter: Any.
    """
    return bool(filter.error or (filter.outcomes and "ok" not in filter.outcomes))
