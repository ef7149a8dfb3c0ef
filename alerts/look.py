"""One look at the metrics: what the rules of one evaluation ask is asked of the database once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from alerts.errors import AlertError
from alerts.label_texts import labels_of
from alerts.parts import QUANTILES, SHARES, Parts, ToldFields, parts_of_groups, parts_of_sums
from alerts.rules import What
from alerts.schedules import Planned
from alerts.units import said
from db.alert_queries import AlertQueries
from db.alert_sums import Sums
from db.cells import DAY_MS, MINUTE_MS
from db.columns import DetailColumns
from db.item_fields import told_fields
from db.job_runs import JobRuns
from db.results import FloatArray, Kind, TimeRange
from db.rows import domain_of
from db.told_runs import RunLine

_Answer = TypeVar("_Answer")
MOST_GROUPS: Final = 2_000  # domains or values of a label; of more, the most frequent ones
_TOLD_MS: Final = 30 * DAY_MS  # for so long the database keeps what was told of runs
_MOST_TOLD: Final = 5_000  # runs that were told of; of more, those that were heard of last


class NotMeasurable(AlertError):  # noqa: N818 - it says what is the matter
    """A rule asks for what isn't there: older rows than memory holds."""


class Look:
    """What the metrics say at one moment.

    Args:
        queries: Who is asked.
        now_ms: The moment, epoch ms.
        listening_since_ms: Since when metrics could have come, epoch ms: who was silent before isn't to blame.
        plans: When scheduler jobs are meant to run, as far as somebody declared it, by job.
    """

    def __init__(
        self,
        queries: AlertQueries,
        now_ms: int,
        *,
        listening_since_ms: int = 0,
        plans: Mapping[str, Planned] = MappingProxyType({}),
    ) -> None:
        self.queries = queries
        self.now_ms = now_ms
        self.listening_since_ms = listening_since_ms
        self.plans = plans
        self.sources = queries.alert_sources()
        # Sources that come while this look goes on are seen by the next one: every answer is about as many.
        self.names = self.sources.all()
        self._known: dict[Hashable, object] = {}

    def sums(self, window_ms: int, kind: Kind | None) -> Sums:
        """Return what the window up to now adds up to by source.

        Args:
            window_ms: Its length.
            kind: Navigations or scrapes only; None for both.
        """
        size = len(self.names)
        return self.once(
            ("sums", window_ms, kind),
            lambda: self.queries.alert_sums(self.now_ms - window_ms, self.now_ms + 1, kind).first(size),
        )

    def parts(self, what: What, window_ms: int, kind: Kind | None, field: str = "") -> Parts:
        """Return a measure of the window up to now by source; not a quantile.

        Args:
            what: What is measured.
            window_ms: The window's length.
            kind: Navigations or scrapes only; None for both.
            field: The field whose coverage is measured.
        """

        def find() -> Parts:
            sums = None if what in SHARES else self.sums(window_ms, kind)
            start_ms, end_ms = self.now_ms - window_ms, self.now_ms + 1
            return parts_between(self.queries, what, start_ms, end_ms, kind, sums, field=field).first(len(self.names))

        return self.once(("parts", what, window_ms, kind, field), find)

    def values(
        self, what: What, window_ms: int, kind: Kind | None, field: str = ""
    ) -> tuple[FloatArray, npt.NDArray[Any]]:
        """Return (values, samples) of a measure of the window up to now by source, [n] each."""

        def find() -> tuple[FloatArray, npt.NDArray[Any]]:
            if what in QUANTILES:
                sums = self.sums(window_ms, kind)
                return sums.quantile_ms(QUANTILES[what]), sums.count
            parts = self.parts(what, window_ms, kind, field)
            return parts.values(what, window_ms / 1000), parts.samples

        return self.once(("values", what, window_ms, kind, field), find)

    def job_runs(self) -> JobRuns:
        """Return the newest runs of all scheduler jobs."""
        return self.once("jobs", lambda: self.queries.job_runs(self._minute_end_ms))

    def told_runs(self, window_ms: int) -> tuple[RunLine, ...]:
        """Return the runs that somebody told of and that went on in the window, those heard of last first.

        A few that only began, or were last heard of, up to a minute beside the window are among them.

        Args:
            window_ms: Its length.
        """
        start_ms = (self.now_ms - window_ms) // MINUTE_MS * MINUTE_MS
        span = TimeRange(start_ms, self._minute_end_ms, MINUTE_MS)
        return self.once(("told", window_ms), lambda: self.queries.told_runs(span, limit=_MOST_TOLD))

    def begun_ms(self) -> Mapping[str, int]:
        """Return when the newest run of each name began, epoch ms, as far as somebody told of it."""

        def find() -> Mapping[str, int]:
            found: dict[str, int] = {}
            for run in self.told_runs(_TOLD_MS):
                if run.name is not None and run.started_ms <= self.now_ms:
                    found[run.name] = max(run.started_ms, found.get(run.name, 0))
            return found

        return self.once("begun", find)

    def rows(self, window_ms: int) -> DetailColumns:
        """Return the rows of the window up to now.

        Args:
            window_ms: Its length.

        Raises:
            NotMeasurable: Memory doesn't hold all of them.
        """

        def find() -> DetailColumns:
            rows, covered_ms = self.queries.alert_rows(self.now_ms - window_ms, self.now_ms + 1)
            if covered_ms is not None and covered_ms > self.now_ms - window_ms:
                held = said(max(0, self.now_ms - covered_ms) / 1000)
                raise NotMeasurable(
                    f"by domain and by label, a window reaches as far back as memory does, now {held}: shorten it from "
                    f"{said(window_ms / 1000)}, or keep more rows in memory (SCRAPEBOARD_RECENT_ROWS)"
                )
            return rows

        return self.once(("rows", window_ms), find)

    def domains(self, window_ms: int) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
        """Return the domain of each row of a window: (numbers int64[rows], -1 without one; names by number)."""

        def find() -> tuple[npt.NDArray[Any], tuple[str, ...]]:
            rows = self.rows(window_ms)
            place, hashes = pd.factorize(rows.url_hash)
            first = np.zeros(len(hashes), dtype=np.int64)
            first[place[::-1]] = np.arange(len(rows))[::-1]
            return _numbered([domain_of(url) for url in rows.url[first].tolist()], place)

        return self.once(("domains", window_ms), find)

    def fields(self, window_ms: int) -> ToldFields:
        """Return which fields the rows of a window tell of."""

        def find() -> ToldFields:
            rows = self.rows(window_ms)
            return told_fields(rows.fields, rows.items)

        return self.once(("fields", window_ms), find)

    def labels(self, window_ms: int, key: str) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
        """Return the value of a label of each row of a window; as for `domains`."""

        def find() -> tuple[npt.NDArray[Any], tuple[str, ...]]:
            place, texts = pd.factorize(self.rows(window_ms).labels, use_na_sentinel=False)
            return _numbered([labels_of(text).get(key) for text in texts.tolist()], place)

        return self.once(("labels", window_ms, key), find)

    @property
    def _minute_end_ms(self) -> int:
        """The end of the minute: what was read up to there stays right until something else is stored."""
        return -(-(self.now_ms + 1) // MINUTE_MS) * MINUTE_MS

    def holds(self, window_ms: int) -> bool:
        """Say whether memory holds every row of the window up to now.

        Args:
            window_ms: Its length.
        """
        covered_ms = self.once("covered", lambda: (self.queries.alert_rows(self.now_ms, self.now_ms)[1],))[0]
        return covered_ms is None or covered_ms <= self.now_ms - window_ms

    def once(self, question: Hashable, find: Callable[[], _Answer]) -> _Answer:
        """Return what was found for a question in this look, or find it now.

        Args:
            question: What is asked; equal questions have equal answers.
            find: Finds the answer; not None.
        """
        known = self._known.get(question)
        if known is None:
            known = self._known[question] = find()
        return known  # type: ignore[return-value]


def parts_between(
    queries: AlertQueries,
    what: What,
    start_ms: int,
    end_ms: int,
    kind: Kind | None,
    sums: Sums | None = None,
    *,
    field: str = "",
) -> Parts:
    """Return a measure of a window by source.

    Args:
        queries: Who is asked.
        what: What is measured; not a quantile.
        start_ms: Epoch ms.
        end_ms: Epoch ms, exclusive.
        kind: Navigations or scrapes only; None for both.
        sums: Those of the window, if somebody asked for them already.
        field: The field whose coverage is measured.
    """
    if what in SHARES:
        groups = queries.alert_groups(SHARES[what], start_ms, end_ms, kind)
        return parts_of_groups(what, groups, len(queries.alert_sources()), field)
    return parts_of_sums(what, queries.alert_sums(start_ms, end_ms, kind) if sums is None else sums)


def _numbered(values: list[str | None], place: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Number names, which rows have by place; what has none, or is too rare where there are too many, gets -1."""
    names: dict[str, int] = {}
    codes = np.array([-1 if value is None else names.setdefault(value, len(names)) for value in values], dtype=np.int64)
    rows = codes[place] if len(codes) else np.empty(0, dtype=np.int64)
    if len(names) > MOST_GROUPS:
        counts = np.bincount(rows[rows >= 0], minlength=len(names))
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_GROUPS])
        renumbered = np.full(len(names) + 1, -1, dtype=np.int64)
        renumbered[kept] = np.arange(len(kept))
        every = tuple(names)
        return renumbered[rows], tuple(every[at] for at in kept.tolist())
    return rows, tuple(names)
