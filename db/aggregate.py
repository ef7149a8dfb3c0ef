"""Statistics of detail rows and rollup rows together: pure functions from columns to the results that pages draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from db.cells import Cells
from db.columns import DetailColumns, Names
from db.results import FloatArray, IntArray, Series, SourceStats, TimeRange, Totals
from db.sealed import Sealed
from db.sketch import BINS, bins_of
from db.spread import RANKS, Spread, mixed_spread, mixed_whole, spread


@dataclass(frozen=True, slots=True, eq=False)
class Aggregate:
    """A range counted out by source (S, by name) and bucket (B)."""

    span: TimeRange
    names: tuple[str, ...]
    navigations: IntArray  # [S, B], like the next four
    scrapes: IntArray
    successes: IntArray
    items: IntArray
    sum_ms: FloatArray
    last_seen_ms: IntArray  # [S]
    last_ok_ms: IntArray  # [S], -1 without a success
    source_spread: Spread  # S groups
    bucket_spread: Spread  # B groups
    overall: Spread  # one group

    @property
    def counts(self) -> IntArray:
        """Navigations and scrapes, int64[S, B]."""
        return self.navigations + self.scrapes

    def totals(self) -> Totals:
        """Return the sums over everything."""
        return _totals(
            int(self.navigations.sum()), int(self.scrapes.sum()), int(self.successes.sum()), int(self.items.sum()),
            len(self.names), float(self.sum_ms.sum()), self.overall, 0,
        )  # fmt: skip

    def series(self) -> Series:
        """Return one number per bucket."""
        counts = self.counts
        per_bucket, successes = counts.sum(axis=0), self.successes.sum(axis=0)
        with np.errstate(invalid="ignore"):  # nothing divided by nothing is NaN, and that is what a gap is
            mean_ms = self.sum_ms.sum(axis=0) / per_bucket
        p50_ms, p95_ms, p99_ms = self.bucket_spread.quantiles_ms.T
        return Series(
            bucket_ms=self.span.bucket_starts(),
            navigations=self.navigations.sum(axis=0),
            scrapes=self.scrapes.sum(axis=0),
            successes=successes,
            errors=per_bucket - successes,
            items=self.items.sum(axis=0),
            active_sources=np.count_nonzero(counts, axis=0).astype(np.int64),
            mean_ms=mean_ms,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
        )

    def series_of(self, index: int, quantiles_ms: FloatArray) -> Series:
        """Return one number per bucket for the source at an index; its quantiles are given, float64[B, 3]."""
        counts, successes = self.counts[index], self.successes[index]
        with np.errstate(invalid="ignore"):
            mean_ms = self.sum_ms[index] / counts
        p50_ms, p95_ms, p99_ms = quantiles_ms.T
        return Series(
            bucket_ms=self.span.bucket_starts(),
            navigations=self.navigations[index],
            scrapes=self.scrapes[index],
            successes=successes,
            errors=counts - successes,
            items=self.items[index],
            active_sources=(counts > 0).astype(np.int64),
            mean_ms=mean_ms,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
        )

    def sources(self) -> tuple[SourceStats, ...]:
        """Return every source that has a row, by name."""
        minutes = (self.span.end_ms - self.span.start_ms) / 60_000
        counts, found = self.counts, []
        sums = [array.sum(axis=1).tolist() for array in (self.navigations, self.scrapes, self.successes, self.items)]
        sum_ms = self.sum_ms.sum(axis=1).tolist()
        for index, name in enumerate(self.names):
            navigations, scrapes, successes, items = (column[index] for column in sums)
            last_ok_ms = int(self.last_ok_ms[index])
            found.append(
                SourceStats(
                    source=name,
                    totals=_totals(navigations, scrapes, successes, items, 1, sum_ms[index], self.source_spread, index),
                    last_seen_ms=int(self.last_seen_ms[index]),
                    last_ok_ms=None if last_ok_ms < 0 else last_ok_ms,
                    items_per_min=items / minutes,
                    counts=counts[index],
                )
            )
        return tuple(found)

    def throughput(self) -> Mapping[str, IntArray]:
        """Return metrics per bucket for each source, by name."""
        counts = self.counts
        return {name: counts[index] for index, name in enumerate(self.names)}


def aggregate(
    span: TimeRange, rows: DetailColumns, cells: Cells | None = None, sealed: Sealed | None = None
) -> Aggregate:
    """Count out a range.

    Args:
        span: The range and its buckets.
        rows: Detail rows inside the range, in time order.
        cells: Rollup rows inside the range, of minutes or hours of which no detail row is given.
        sealed: The first buckets of the range, counted before; neither rows nor cells lie in them.

    Returns:
        Everything by source and bucket. Counts, sums, shortest and longest are exact; quantiles are exact where they
        come from detail rows alone, else within `db.sketch.RELATIVE_ERROR`. Durations are NaN where a rollup row's
        aren't known.
    """
    if sealed is not None and cells is None:
        cells = Cells.empty()
    codes, names, remap = _present(rows, cells, sealed)
    source = remap[rows.source] if len(remap) else rows.source.astype(np.int64)
    shape = (len(codes), span.bucket_count)
    edges = np.append(span.bucket_starts(), span.end_ms)
    offsets = np.searchsorted(rows.created_at_ms, edges)
    bucket = np.repeat(np.arange(shape[1]), np.diff(offsets))
    place = source * shape[1] + bucket
    size = shape[0] * shape[1]
    # One count for all four combinations of kind and result.
    split = np.bincount((place << 2) | (rows.scrape.astype(np.int64) << 1) | rows.success, minlength=4 * size)
    split = split.reshape(*shape, 4)
    navigations = split[..., 0] + split[..., 1]
    scrapes = split[..., 2] + split[..., 3]
    successes = split[..., 1] + split[..., 3]
    items = np.bincount(place, weights=rows.items, minlength=size).reshape(shape).astype(np.int64)
    sum_ms = np.bincount(place, weights=rows.duration_ms, minlength=size).astype(np.float64, copy=False).reshape(shape)
    last_seen_ms = np.full(shape[0], -1, dtype=np.int64)
    last_seen_ms[source] = rows.created_at_ms  # in time order: the newest is written last
    last_ok_ms = np.full(shape[0], -1, dtype=np.int64)
    ok = np.flatnonzero(rows.success)  # a mask would take several times as long
    last_ok_ms[source[ok]] = rows.created_at_ms[ok]
    order, source_offsets = _by_source(source, shape[0])
    durations_ms = rows.duration_ms
    if sealed is None and (cells is None or not len(cells.start_ms)):
        by_source, by_bucket = spread(durations_ms[order], source_offsets), spread(durations_ms, offsets)
        overall = spread(durations_ms, np.array([0, len(rows)]))
    else:
        assert cells is not None
        cell_source = remap[cells.source]
        cell_bucket = (cells.start_ms - span.start_ms) // span.bucket_ms
        at = (cell_source, cell_bucket)
        np.add.at(navigations, at, cells.navigations)
        np.add.at(scrapes, at, cells.scrapes)
        np.add.at(successes, at, cells.successes)
        np.add.at(items, at, cells.items)
        np.add.at(sum_ms, at, cells.sum_ms)
        np.maximum.at(last_seen_ms, cell_source, cells.last_seen_ms)
        np.maximum.at(last_ok_ms, cell_source, cells.last_ok_ms)
        bins = bins_of(durations_ms)
        counts = np.bincount(bins, minlength=BINS) + _histogram(cells)
        if sealed is None:
            by_source = mixed_spread(durations_ms[order], bins[order], source_offsets, cells, cell_source)
            by_bucket = mixed_spread(durations_ms, bins, offsets, cells, cell_bucket)
        else:
            where = remap[sealed.codes]
            first = sealed.count
            for sums, counted in (
                (navigations, sealed.navigations), (scrapes, sealed.scrapes), (successes, sealed.successes),
                (items, sealed.items), (sum_ms, sealed.sum_ms),
            ):  # fmt: skip
                sums[where, :first] += counted
            last_seen_ms[where] = np.maximum(last_seen_ms[where], sealed.last_seen_ms)
            last_ok_ms[where] = np.maximum(last_ok_ms[where], sealed.last_ok_ms)
            histograms = np.zeros((shape[0], BINS))
            low_ms, high_ms = np.full(shape[0], np.inf), np.full(shape[0], -np.inf)
            histograms[where], low_ms[where], high_ms[where] = sealed.histograms, sealed.min_ms, sealed.max_ms
            counts = counts + histograms.sum(axis=0)
            by_source = mixed_spread(
                durations_ms[order], bins[order], source_offsets, cells, cell_source, (histograms, low_ms, high_ms)
            )
            by_bucket = sealed.buckets.followed_by(
                mixed_spread(durations_ms, bins, offsets[first:], cells, cell_bucket - first)
            )
        overall = mixed_whole(by_source, counts) if len(codes) else by_source
    return Aggregate(
        span, names, navigations, scrapes, successes, items, sum_ms, last_seen_ms, last_ok_ms, by_source, by_bucket,
        overall,
    )  # fmt: skip


def totals_of(rows: DetailColumns) -> Totals:
    """Return the sums over detail rows, without buckets: what the period before needs.

    Args:
        rows: Any detail rows.
    """
    scrapes = int(np.count_nonzero(rows.scrape))
    return _totals(
        len(rows) - scrapes, scrapes, int(np.count_nonzero(rows.success)), int(rows.items.sum()),
        int(np.count_nonzero(np.bincount(rows.source))), float(rows.duration_ms.sum()),
        spread(rows.duration_ms, np.array([0, len(rows)])), 0,
    )  # fmt: skip


def by_source(
    span: TimeRange, rows: DetailColumns, cells: Cells | None = None, sealed: Sealed | None = None
) -> Mapping[str, Series]:
    """Return one series for each source, by name.

    Args:
        span: The range and its buckets.
        rows: As for `aggregate`.
        cells: As for `aggregate`.
        sealed: As for `aggregate`.
    """
    whole = aggregate(span, rows, cells, sealed)
    codes, names, remap = _present(rows, cells, sealed)
    first = 0 if sealed is None else sealed.count
    # What isn't counted out yet, by source and bucket at once: a turn of numpy for each source would cost more.
    buckets = span.bucket_count - first
    edges = np.append(span.bucket_starts(), span.end_ms)
    offsets = np.searchsorted(rows.created_at_ms, edges)
    bucket = np.repeat(np.arange(span.bucket_count), np.diff(offsets)) - first
    order, offsets = _by_source(remap[rows.source] * buckets + bucket, len(codes) * buckets)
    durations_ms = rows.duration_ms[order]
    if cells is None or not len(cells.start_ms):
        found = spread(durations_ms, offsets)
    else:
        cell_bucket = (cells.start_ms - span.start_ms) // span.bucket_ms - first
        group = remap[cells.source] * buckets + cell_bucket
        found = mixed_spread(durations_ms, bins_of(durations_ms), offsets, cells, group)
    quantiles_ms = found.quantiles_ms.reshape(len(codes), buckets, len(RANKS))
    place = {} if sealed is None else {code: number for number, code in enumerate(sealed.codes.tolist())}
    result: dict[str, Series] = {}
    for index, (code, name) in enumerate(zip(codes.tolist(), names, strict=True)):
        own = quantiles_ms[index]
        if sealed is not None:
            before = np.full((first, len(RANKS)), np.nan)
            if code in place:
                before = sealed.quantiles_by_source(span.start_ms, span.bucket_ms)[place[code]]
            own = np.concatenate((before, own))
        result[name] = whole.series_of(index, own)
    return result


def histogram_of(cells: Cells | None, sealed: Sealed | None) -> FloatArray | None:
    """Return how many durations of rollup rows fall in each bin of their sketches, float64[BINS]; None without rows.

    Durations that aren't known (`Cells`) are in no bin.

    Args:
        cells: Rollup rows.
        sealed: Others, counted before.
    """
    if sealed is not None:
        whole: FloatArray = sealed.histograms.sum(axis=0)
        return whole if cells is None else whole + _histogram(cells)
    return None if cells is None else _histogram(cells)


def _histogram(cells: Cells) -> FloatArray:
    counts = np.bincount(cells.sketch_bin, weights=cells.sketch_count, minlength=BINS)
    return counts.astype(np.float64, copy=False)


def _present(
    rows: DetailColumns, cells: Cells | None, sealed: Sealed | None
) -> tuple[IntArray, tuple[str, ...], IntArray]:
    """Return (numbers of the sources that occur, their names sorted, a table from number to place in that order)."""
    known: Names = rows.source_names
    seen = np.bincount(rows.source, minlength=len(known))
    if cells is not None:
        seen = seen + np.bincount(cells.source, minlength=len(seen))
    if sealed is not None:
        seen[sealed.codes] += 1
    codes = np.flatnonzero(seen)
    names = [known[code] for code in codes.tolist()]
    order = sorted(range(len(names)), key=names.__getitem__)
    codes = codes[order]
    remap = np.zeros(len(seen), dtype=np.int64)
    remap[codes] = np.arange(len(codes))
    return codes, tuple(names[index] for index in order), remap


def _by_source(source: IntArray, sources: int) -> tuple[IntArray, IntArray]:
    """Return the order that brings rows together by source, and where each source begins, int64[sources + 1]."""
    # numpy sorts numbers of 8 and of 16 bits in linear time; there are never more sources at once, but if there were...
    small = source.astype(np.uint8 if sources < 1 << 8 else np.uint16) if sources < 1 << 16 else source
    offsets = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=sources))))
    return np.argsort(small, kind="stable"), offsets


def _totals(
    navigations: int,
    scrapes: int,
    successes: int,
    items: int,
    sources: int,
    sum_ms: float,
    durations: Spread,
    group: int,
) -> Totals:
    count = navigations + scrapes
    if not count:
        return Totals(0, 0, 0, 0, 0, 0, None, None, None, None, None, None)
    known = not np.isnan(sum_ms)
    p50_ms, p95_ms, p99_ms = durations.quantiles_ms[group].tolist() if known else (None, None, None)
    return Totals(
        navigations=navigations,
        scrapes=scrapes,
        successes=successes,
        errors=count - successes,
        items=items,
        active_sources=sources,
        mean_ms=sum_ms / count if known else None,
        min_ms=float(durations.min_ms[group]) if known else None,
        max_ms=float(durations.max_ms[group]) if known else None,
        p50_ms=p50_ms,
        p95_ms=p95_ms,
        p99_ms=p99_ms,
    )
