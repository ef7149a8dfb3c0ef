"""Detail rows as numpy columns: how they are built from metrics and database rows, and how they are narrowed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from collector import fields
from collector.events import PageNavigation, PageScrape
from db.chunk import DTYPES, URL_NUMBER, Chunk, CodeArray, ObjectArray, look_in_urls
from db.chunk import BoolArray as BoolArray
from db.error_kinds import kind_of_error
from db.hashes import HashArray, error_hash, hash_of
from db.item_fields import fields_text
from db.labels import labels_text
from db.results import Filter, FloatArray, IntArray, Kind


class Names:
    """Numbers for names, in the order of their first appearance; only ever grows."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._names: list[str] = []
        self._lock = threading.Lock()  # protects that a new name gets one number, in both directions

    def code(self, name: str) -> int:
        """Return the number of a name, a new one if it is new."""
        code = self._codes.get(name)
        if code is None:
            with self._lock:
                code = self._codes.get(name)
                if code is None:
                    code = len(self._names)
                    self._names.append(name)
                    self._codes[name] = code
        return code

    def known(self, name: str) -> int | None:
        """Return the number of a name that appeared before, else None."""
        return self._codes.get(name)

    def __getitem__(self, code: int) -> str:
        return self._names[code]

    def __len__(self) -> int:
        return len(self._names)

    def all(self) -> tuple[str, ...]:
        """Return every name, by number."""
        with self._lock:
            return tuple(self._names)


def chunk_of_metrics(metrics: Iterable[PageNavigation | PageScrape], sources: Names, outcomes: Names) -> Chunk:
    """Return page metrics as one chunk.

    Args:
        metrics: Navigations and scrapes, in any order of time.
        sources: Gives sources their numbers.
        outcomes: Gives outcomes theirs.
    """
    rows: list[tuple[Any, ...]] = []
    for metric in metrics:
        if isinstance(metric, PageScrape):
            rows.append((
                metric.recorded_at_ms, sources.code(metric.scraper_source), True, metric.scrape_duration_ms,
                metric.success, metric.items_extracted, 0, -1 if metric.data_size is None else metric.data_size, -1,
                -1 if metric.outcome is None else outcomes.code(metric.outcome),
                *_texts(metric),
            ))  # fmt: skip
        else:
            rows.append((
                metric.recorded_at_ms, sources.code(metric.scraper_source), False, metric.navigation_duration_ms,
                metric.success, 0, metric.retry_count, -1, -1 if metric.status_code is None else metric.status_code, -1,
                *_texts(metric),
            ))  # fmt: skip
    columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else [()] * len(DTYPES)
    return Chunk.of_columns(dict(zip(DTYPES, columns, strict=True)))


def one_copy(run_id: str | None) -> str | None:
    """Return the one copy of a run's id: all rows of a run hold the same text."""
    return None if run_id is None else sys.intern(run_id)


def _texts(metric: PageNavigation | PageScrape) -> tuple[Any, ...]:
    url, error = metric.url[: fields.MAX_URL_CHARS], metric.error
    if error is not None:
        error = error[: fields.MAX_ERROR_CHARS]
    labels = None if metric.labels is None else labels_text(metric.labels)
    told = metric.fields if isinstance(metric, PageScrape) else None
    counts = None if told is None else fields_text(told)
    return url, error, hash_of(url), error_hash(error, metric.success), labels, counts, one_copy(metric.run_id)


class DetailColumns:
    """Rows of a span of time, in time order, as columns that are put together when they are first asked for.

    Args:
        chunks: Runs of rows, each later than the one before.
        sources: Names of the source numbers.
        outcomes: Names of the outcome numbers.
    """

    def __init__(self, chunks: Sequence[Chunk], sources: Names, outcomes: Names) -> None:
        self._chunks = [chunk for chunk in chunks if chunk.size]
        self.source_names = sources
        self.outcome_names = outcomes

    def __len__(self) -> int:
        return sum(chunk.size for chunk in self._chunks)

    @property
    def chunks(self) -> list[Chunk]:
        """The runs of rows, those without any left out."""
        return list(self._chunks)

    def _column(self, name: str) -> npt.NDArray[Any]:
        parts = [chunk.column(name) for chunk in self._chunks]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=DTYPES[name])

    @cached_property
    def created_at_ms(self) -> IntArray:
        """When each row was recorded, epoch ms, rising."""
        return self._column("created_at_ms")

    @cached_property
    def source(self) -> CodeArray:
        """The number of each row's source in `source_names`."""
        return self._column("source")

    @cached_property
    def scrape(self) -> BoolArray:
        """True for a scrape, False for a navigation."""
        return self._column("scrape")

    @cached_property
    def duration_ms(self) -> FloatArray:
        """Duration of the navigation or of the scrape."""
        return self._column("duration_ms")

    @cached_property
    def success(self) -> BoolArray:
        """Whether it went well."""
        return self._column("success")

    @cached_property
    def items(self) -> IntArray:
        """Items extracted, 0 for navigations."""
        return self._column("items")

    @cached_property
    def retry_count(self) -> CodeArray:
        """Attempts after the first, 0 for scrapes."""
        return self._column("retry_count")

    @cached_property
    def data_size(self) -> IntArray:
        """Bytes, -1 where it isn't known."""
        return self._column("data_size")

    @cached_property
    def status_code(self) -> npt.NDArray[np.int16]:
        """HTTP status, -1 where it isn't known."""
        return self._column("status_code")

    @cached_property
    def outcome(self) -> CodeArray:
        """The number of each row's outcome in `outcome_names`, -1 without one."""
        return self._column("outcome")

    @cached_property
    def url(self) -> ObjectArray:
        """The page's URL, str."""
        return self._column("url")

    @cached_property
    def error(self) -> ObjectArray:
        """The error text, str or None."""
        return self._column("error")

    @cached_property
    def url_hash(self) -> HashArray:
        """64 bits that stand for the URL (db.hashes)."""
        return self._column("url_hash")

    def numbered_urls(self) -> tuple[IntArray, HashArray, tuple[Any, ...]] | None:
        """Return which of a few URLs each row has, these URLs' hashes, and what knows their texts; None for unknown.

        The last ones are `db.url_texts.UrlTexts`.
        """
        if not self._chunks or any(chunk.urls is None for chunk in self._chunks):
            return None
        known = [chunk.urls() for chunk in self._chunks if chunk.urls is not None]
        first = np.cumsum([0, *(len(texts.value) for texts in known)]).tolist()
        numbers = np.concatenate(
            [chunk.column(URL_NUMBER) + before for chunk, before in zip(self._chunks, first, strict=False)]
        )
        which, hashes = pd.factorize(np.concatenate([texts.value for texts in known]))
        return which[numbers], hashes, tuple(known)

    @cached_property
    def error_hash(self) -> HashArray:
        """64 bits that stand for the kind of error, 0 for a success."""
        return self._column("error_hash")

    def error_kinds(self, places: IntArray) -> list[str]:
        """Return the kinds of some rows' errors, "" for one without a text.

        Args:
            places: Which rows, all of them failures.
        """
        if self._chunks and all("error_kind" in chunk.arrays for chunk in self._chunks):
            return [kind or "" for kind in self._column("error_kind")[places].tolist()]
        return [kind_of_error(error or "") for error in self.error[places].tolist()]

    @cached_property
    def labels(self) -> ObjectArray:
        """The labels as `db.labels` writes them, str or None."""
        return self._column("labels")

    @cached_property
    def fields(self) -> ObjectArray:
        """The fields of a scrape's items as `db.item_fields` writes them, str or None."""
        return self._column("fields")

    @cached_property
    def run_id(self) -> ObjectArray:
        """The id of the scraper's run, str or None."""
        return self._column("run_id")

    def between(self, start_ms: int, end_ms: int) -> DetailColumns:
        """Return the rows of [start_ms, end_ms); they share memory with these."""
        parts = []
        for chunk in self._chunks:
            low, high = np.searchsorted(chunk.times(), (start_ms, end_ms))
            parts.append(chunk.part(int(low), int(high)))
        return DetailColumns(parts, self.source_names, self.outcome_names)

    def matching(self, filter: Filter, kind: Kind | None = None) -> DetailColumns:
        """Return the rows that a filter lets through; these themselves when it lets all through.

        They hold on to the memory of these: see `apart`.

        Args:
            filter: What to keep.
            kind: Navigations or scrapes only; None for both.
        """
        settled = filter.within(kind)
        if settled is None:
            return DetailColumns([], self.source_names, self.outcome_names)
        filter, kind = settled
        if filter == Filter() and kind is None:
            return self
        codes = [code for code in map(self.source_names.known, filter.sources) if code is not None]
        needle = filter.url_contains.lower()
        error = hash_of(filter.error)
        if needle:
            look_in_urls(self._chunks, needle)
        parts = []
        for chunk in self._chunks:
            mask = np.ones(chunk.size, dtype=np.bool_)
            if kind is not None:
                mask &= chunk.arrays["scrape"][: chunk.size] == (kind == "scrape")
            if filter.sources:
                mask &= np.isin(chunk.arrays["source"][: chunk.size], codes)
            if filter.result != "all":
                mask &= chunk.arrays["success"][: chunk.size] == (filter.result == "ok")
            if filter.outcomes:
                mask &= self._with_outcomes(chunk, filter.outcomes)
            if filter.error:
                mask &= chunk.arrays["error_hash"][: chunk.size] == error
            if filter.labels:
                mask &= chunk.with_labels(filter.labels)
            if needle:
                mask &= chunk.with_in_url(needle)
            for column, text in (("url", filter.url), ("run_id", filter.run)):
                if text:
                    mask &= chunk.with_text(column, text)
            parts.append(chunk.picked(mask))
        return DetailColumns(parts, self.source_names, self.outcome_names)

    def apart(self) -> DetailColumns:
        """Return the same rows in memory of their own: what is kept mustn't hold on to the rows it was picked from."""
        return DetailColumns([chunk.apart() for chunk in self._chunks], self.source_names, self.outcome_names)

    def _with_outcomes(self, chunk: Chunk, wanted: Sequence[str]) -> BoolArray:
        """Return which scrapes had one of some outcomes; one that told none is taken for what it was, ok or failed."""
        outcome, success = chunk.arrays["outcome"][: chunk.size], chunk.arrays["success"][: chunk.size]
        codes = [code for code in map(self.outcome_names.known, wanted) if code is not None]
        taken_for = [name for name in ("ok", "failed") if name in wanted]
        found: BoolArray = np.isin(outcome, codes)
        for name in taken_for:
            found |= (outcome < 0) & (success == (name == "ok"))
        return found

    def pieces(self, least: int) -> Iterator[DetailColumns]:
        """Return the same rows in several runs, each of at least so many (but the last): whole chunks.

        Args:
            least: How many.
        """
        some: list[Chunk] = []
        rows = 0
        for chunk in self._chunks:
            some.append(chunk)
            rows += chunk.size
            if rows >= least:
                yield DetailColumns(some, self.source_names, self.outcome_names)
                some, rows = [], 0
        if some:
            yield DetailColumns(some, self.source_names, self.outcome_names)

    def of_source(self, code: int) -> DetailColumns:
        """Return the rows of the source with this number."""
        parts = [chunk.chosen(chunk.arrays["source"][: chunk.size] == code) for chunk in self._chunks]
        return DetailColumns(parts, self.source_names, self.outcome_names)

    def followed_by(self, later: DetailColumns) -> DetailColumns:
        """Return these rows and then later ones (of the same names)."""
        return DetailColumns([*self._chunks, *later._chunks], self.source_names, self.outcome_names)
