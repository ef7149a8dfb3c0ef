"""From groups and rows to the answers of `db.tab_results`: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from db.breakdown import OTHERS, Groups, texts_of
from db.breakdown_values import MOST_RETRIES, Attempt, Yield
from db.columns import Names
from db.hashes import hash_of
from db.history import Rows
from db.results import IntArray, TimeRange
from db.tab_results import Attempts, OkFailed, OutcomeSeries, UsableSuccess, YieldSeries
from db.timed_groups import TimedGroups

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


def yields_of(timed: TimedGroups) -> YieldSeries:
    """Return what scrapes brought home over time.

    Args:
        timed: By yield.
    """
    groups = timed.groups
    codes, values = timed.values()
    texts = texts_of(groups, values.tolist())
    told = [Yield.parse(texts[value]) for value in values.tolist()]
    brought = np.array([one.items for one in told], dtype=np.bool_)[codes]
    sized = np.array([one.sized for one in told], dtype=np.bool_)[codes]
    sums = (
        groups.count, groups.items, groups.count * groups.success, groups.count * (groups.success & ~brought),
        groups.count * sized, groups.data_size * sized,
    )  # fmt: skip
    return YieldSeries(timed.starts_ms, *(timed.sums(values)[0] for values in sums))


def outcome_series_of(timed: TimedGroups) -> OutcomeSeries:
    """Return how scrapes ended over time.

    Args:
        timed: By outcome.
    """
    codes, values = timed.values()
    texts = texts_of(timed.groups, values.tolist())
    sums = timed.sums(timed.groups.count, codes, len(values))
    counts = {texts[value]: own for value, own in zip(values.tolist(), sums, strict=True)}
    order = sorted(counts, key=lambda name: (-int(counts[name].sum()), name))
    return OutcomeSeries(timed.starts_ms, timed.ends_ms, {name: counts[name] for name in order})


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
