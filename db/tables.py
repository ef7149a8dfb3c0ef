"""Tables of a range: failures by text, URLs by duration, outcomes; each from memory and, for older ranges, in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Integer, func, select, type_coerce
from sqlalchemy.engine import Connection

from db.columns import DetailColumns
from db.detail import conditions
from db.models import PagePerformance as Page
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats

_SUCCESS = type_coerce(Page.success, Integer)


def errors_in(rows: DetailColumns) -> tuple[ErrorGroup, ...]:
    """Return the failures among detail rows by their text, most frequent first.

    Args:
        rows: Detail rows in time order.
    """
    failed = ~rows.success
    groups: dict[str, tuple[int, int]] = {}
    for error, moment in zip(rows.error[failed].tolist(), rows.created_at_ms[failed].tolist(), strict=True):
        count, _ = groups.get(error or "", (0, 0))
        groups[error or ""] = (count + 1, moment)  # in time order: the last one is the newest
    found = [ErrorGroup(error, count, moment) for error, (count, moment) in groups.items()]
    return _by_frequency(found)


def errors_by_sql(connection: Connection, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
    """Return what `errors_in` returns, counted by the database.

    Args:
        connection: An open connection.
        span: The range.
        filter: Which rows.
        kind: Navigations or scrapes only; None for both.
    """
    error = func.coalesce(Page.error, "")
    statement = (
        select(error, func.count(), func.max(Page.created_at))
        .where(Page.success == False, *conditions(span.start_ms, span.end_ms, filter, kind))  # noqa: E712 - it is SQL
        .group_by(error)
    )
    return _by_frequency([ErrorGroup(*row) for row in connection.execute(statement)])


def urls_in(rows: DetailColumns, limit: int) -> tuple[UrlStats, ...]:
    """Return the URLs with the highest mean duration among detail rows, slowest first.

    Args:
        rows: Detail rows in time order.
        limit: How many at most.
    """
    places: dict[tuple[int, str], int] = {}
    pairs = zip(rows.source.tolist(), rows.url.tolist(), strict=True)
    group = np.array([places.setdefault(pair, len(places)) for pair in pairs], dtype=np.int64)
    size = len(places)
    counts = np.bincount(group, minlength=size)
    mean_ms = np.bincount(group, weights=rows.duration_ms, minlength=size) / np.maximum(counts, 1)
    ok = np.bincount(group, weights=rows.success, minlength=size).astype(np.int64)
    items = np.bincount(group, weights=rows.items, minlength=size).astype(np.int64)
    max_ms = np.zeros(size)
    np.maximum.at(max_ms, group, rows.duration_ms)
    last_seen_ms = np.zeros(size, dtype=np.int64)
    last_seen_ms[group] = rows.created_at_ms
    keys = list(places)
    # Everything that could be among the slowest, equals of the last one too: the text decides among those.
    kept = range(size) if size <= limit else np.flatnonzero(mean_ms >= np.partition(mean_ms, -limit)[-limit]).tolist()
    found = [
        UrlStats(
            url=keys[index][1], source=rows.source_names[keys[index][0]], count=int(counts[index]),
            errors=int(counts[index] - ok[index]), items=int(items[index]), mean_ms=float(mean_ms[index]),
            max_ms=float(max_ms[index]), last_seen_ms=int(last_seen_ms[index]),
        )
        for index in kept
    ]  # fmt: skip
    found.sort(key=lambda url: (-url.mean_ms, url.url, url.source))
    return tuple(found[:limit])


def urls_by_sql(
    connection: Connection, span: TimeRange, filter: Filter, kind: Kind, limit: int
) -> tuple[UrlStats, ...]:
    """Return what `urls_in` returns, counted by the database.

    Args:
        connection: An open connection.
        span: The range.
        filter: Which rows.
        kind: Navigations or scrapes only.
        limit: How many at most.
    """
    duration_ms = Page.navigation_duration_ms if kind == "navigation" else Page.scrape_duration_ms
    mean_ms = func.avg(duration_ms)
    statement = (
        select(
            Page.page_url, Page.scraper_source, func.count(), func.sum(1 - _SUCCESS),
            func.sum(func.coalesce(Page.items_extracted, 0)), mean_ms, func.max(duration_ms), func.max(Page.created_at),
        )
        .where(*conditions(span.start_ms, span.end_ms, filter, kind))
        .group_by(Page.page_url, Page.scraper_source)
        .order_by(mean_ms.desc(), Page.page_url, Page.scraper_source)
        .limit(limit)
    )  # fmt: skip
    return tuple(
        UrlStats(url, source, count, int(errors), int(items), mean, longest, seen)
        for url, source, count, errors, items, mean, longest, seen in connection.execute(statement)
    )


def outcomes_in(rows: DetailColumns) -> Mapping[str, int]:
    """Return how many of some scrapes had each outcome, most frequent first; "ok" or "failed" where none was given.

    Args:
        rows: Detail rows of scrapes.
    """
    # Two more numbers, for scrapes without an outcome.
    names = len(rows.outcome_names)
    code = np.where(rows.outcome >= 0, rows.outcome, names + ~rows.success)
    counts: dict[str, int] = {}
    for index, count in enumerate(np.bincount(code, minlength=names + 2).tolist()):
        if count:
            name = ("ok", "failed")[index - names] if index >= names else rows.outcome_names[index]
            counts[name] = counts.get(name, 0) + count
    return _most_first(counts)


def outcomes_by_sql(connection: Connection, span: TimeRange, filter: Filter) -> Mapping[str, int]:
    """Return what `outcomes_in` returns, counted by the database.

    Args:
        connection: An open connection.
        span: The range.
        filter: Which rows.
    """
    statement = (
        select(Page.outcome, _SUCCESS, func.count())
        .where(*conditions(span.start_ms, span.end_ms, filter, "scrape"))
        .group_by(Page.outcome, Page.success)
    )
    counts: dict[str, int] = {}
    for outcome, success, count in connection.execute(statement):
        name = outcome if outcome is not None else ("ok" if success else "failed")
        counts[name] = counts.get(name, 0) + count
    return _most_first(counts)


def joined_errors(parts: Sequence[Sequence[ErrorGroup]]) -> tuple[ErrorGroup, ...]:
    """Return the failures of several spans as those of one.

    Args:
        parts: What `errors_in` or `errors_by_sql` returned for each.
    """
    groups: dict[str, tuple[int, int]] = {}
    for error, failures, last_seen_ms in (group for part in parts for group in part):
        count, newest_ms = groups.get(error, (0, 0))
        groups[error] = (count + failures, max(newest_ms, last_seen_ms))
    return _by_frequency([ErrorGroup(error, *group) for error, group in groups.items()])


def joined_outcomes(parts: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the outcomes of several spans as those of one.

    Args:
        parts: What `outcomes_in` or `outcomes_by_sql` returned for each.
    """
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    return _most_first(counts)


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _by_frequency(groups: list[Any]) -> tuple[ErrorGroup, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.failures, group.error)))
