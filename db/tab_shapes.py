"""From groups and rows to the answers of `db.tab_results`: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from db.breakdown import OTHERS, Groups, texts_of
from db.breakdown_values import MOST_RETRIES, Attempt, Yield
from db.columns import Names
from db.hashes import hash_of
from db.history import Rows
from db.over_time import Bounds
from db.results import IntArray, TimeRange
from db.tab_results import Attempts, OkFailed, OutcomeSeries, UsableSuccess, YieldSeries

USABLE: Final = "ok"  # the outcome of a scrape that was of use


def attempts_of(groups: Groups) -> Attempts:
    """Return navigations by retries and by status.

    Args:
        groups: By attempt.
    """
    texts = texts_of(groups, set(groups.value.tolist()))
    retries = [[0, 0] for _ in range(MOST_RETRIES + 1)]
    statuses: dict[int | None, list[int]] = {}
    for value, success, count in zip(
        groups.value.tolist(), groups.success.tolist(), groups.count.tolist(), strict=True
    ):
        if value == OTHERS:
            continue
        attempt = Attempt.parse(texts[value])
        retries[attempt.retries][not success] += count
        statuses.setdefault(attempt.status_code, [0, 0])[not success] += count
    order = sorted(statuses, key=lambda status: (status is None, status))
    return Attempts(
        tuple(OkFailed(*pair) for pair in retries), {status: OkFailed(*statuses[status]) for status in order}
    )


def yields_of(bounds: Sequence[Bounds], parts: Sequence[Groups]) -> YieldSeries:
    """Return what scrapes brought home over time.

    Args:
        bounds: n buckets.
        parts: The groups by yield of each.
    """
    sums = np.zeros((6, len(parts)), dtype=np.int64)
    for bucket, part in enumerate(parts):
        texts = {value: Yield.parse(text) for value, text in texts_of(part, set(part.value.tolist())).items()}
        brought = np.array([texts[value].items for value in part.value.tolist()], dtype=np.bool_)
        sized = np.array([texts[value].sized for value in part.value.tolist()], dtype=np.bool_)
        sums[:, bucket] = (
            part.count.sum(), part.items.sum(), part.count[part.success].sum(),
            part.count[part.success & ~brought].sum(), part.count[sized].sum(), part.data_size[sized].sum(),
        )  # fmt: skip
    return YieldSeries(_starts(bounds), *sums)


def outcome_series_of(bounds: Sequence[Bounds], parts: Sequence[Groups]) -> OutcomeSeries:
    """Return how scrapes ended over time.

    Args:
        bounds: n buckets.
        parts: The groups by outcome of each.
    """
    counts: dict[str, IntArray] = {}
    for bucket, part in enumerate(parts):
        texts = texts_of(part, set(part.value.tolist()))
        for value, count in zip(part.value.tolist(), part.count.tolist(), strict=True):
            counts.setdefault(texts[value], np.zeros(len(parts), dtype=np.int64))[bucket] += count
    order = sorted(counts, key=lambda name: (-int(counts[name].sum()), name))
    ends = np.array([high for _, high in bounds], dtype=np.int64)
    return OutcomeSeries(_starts(bounds), ends, {name: counts[name] for name in order})


def usable_of(groups: Groups, names: Names) -> tuple[UsableSuccess, ...]:
    """Return how many scrapes of each scraper were of use, by name.

    Args:
        groups: By outcome.
        names: What their source numbers stand for.
    """
    sums = np.zeros((3, len(names)), dtype=np.int64)
    usable = groups.success & (groups.value == np.uint64(hash_of(USABLE)))
    for row, chosen in zip(sums, (np.ones(len(groups), np.bool_), groups.success, usable), strict=True):
        np.add.at(row, groups.source[chosen], groups.count[chosen])
    found = [UsableSuccess(names[code], *sums[:, code].tolist()) for code in np.flatnonzero(sums[0]).tolist()]
    return tuple(sorted(found))


def items_of(span: TimeRange, rows: Rows) -> Mapping[str, IntArray]:
    """Return the items that each source extracted in each bucket, by name; who extracted none is left out.

    Args:
        span: The range and its buckets.
        rows: What it is counted from.
    """
    names = rows.detail.source_names
    buckets = span.bucket_count
    size = len(names) * buckets
    bucket = (rows.detail.created_at_ms - span.start_ms) // span.bucket_ms
    place = rows.detail.source * buckets + bucket
    items = np.bincount(place, weights=rows.detail.items, minlength=size).astype(np.int64).reshape(-1, buckets)
    if rows.cells is not None:
        at = (rows.cells.source, (rows.cells.start_ms - span.start_ms) // span.bucket_ms)
        np.add.at(items, at, rows.cells.items)
    if rows.sealed is not None:
        items[rows.sealed.codes, : rows.sealed.count] += rows.sealed.items
    found = {names[code]: items[code] for code in np.flatnonzero(items.any(axis=1)).tolist()}
    return dict(sorted(found.items()))


def _starts(bounds: Sequence[Bounds]) -> IntArray:
    return np.array([low for low, _ in bounds], dtype=np.int64)
