"""Tables of a range: failures by text, URLs by duration, outcomes; each from memory and, for older ranges, in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Integer, func, select, type_coerce
from sqlalchemy.engine import Connection

from db.breakdown import OTHERS, Groups, numbered, texts_of
from db.columns import Names
from db.detail import conditions
from db.error_kinds import kind_of_error
from db.models import PagePerformance as Page
from db.results import ErrorGroup, Filter, Kind, TimeRange, UrlStats

_SUCCESS = type_coerce(Page.success, Integer)


def errors_of(groups: Groups) -> tuple[ErrorGroup, ...]:
    """Return failures by their kind, most frequent first.

    Args:
        groups: By kind of error.
    """
    group, size = numbered(groups.value)
    failures = np.bincount(group, weights=groups.count, minlength=size).astype(np.int64)
    last_seen_ms, value = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.uint64)
    np.maximum.at(last_seen_ms, group, groups.last_ms)
    value[group] = groups.value
    texts = texts_of(groups, set(value.tolist()))
    rows = zip(value.tolist(), failures.tolist(), last_seen_ms.tolist(), strict=True)
    return _by_frequency([ErrorGroup(texts[code], count, moment) for code, count, moment in rows])


def errors_by_sql(connection: Connection, span: TimeRange, filter: Filter, kind: Kind | None) -> tuple[ErrorGroup, ...]:
    """Return what `errors_of` returns, counted by the database.

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
    rows = connection.execute(statement)
    return joined_errors([[ErrorGroup(kind_of_error(error), count, moment) for error, count, moment in rows]])


def urls_of(groups: Groups, names: Names, limit: int) -> tuple[UrlStats, ...]:
    """Return the URLs with the highest mean duration, slowest first.

    Args:
        groups: By URL.
        names: What the source numbers stand for.
        limit: How many at most.
    """
    groups = groups.chosen(groups.value != OTHERS)
    group, size = numbered(groups.value, groups.source)

    def sums(values: Any) -> Any:
        return np.bincount(group, weights=values, minlength=size)

    counts = sums(groups.count)
    mean_ms = sums(groups.sum_ms) / np.maximum(counts, 1)
    # Everything that could be among the slowest, equals of the last one too: the text decides among those.
    kept = np.arange(size) if size <= limit else np.flatnonzero(mean_ms >= np.partition(mean_ms, -limit)[-limit])
    errors, items = sums(groups.count * ~groups.success), sums(groups.items)
    max_ms, last_seen_ms, one = np.zeros(size), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.maximum.at(max_ms, group, groups.max_ms)
    np.maximum.at(last_seen_ms, group, groups.last_ms)
    one[group] = np.arange(len(groups))
    value, source = groups.value[one], groups.source[one]
    texts = texts_of(groups, set(value[kept].tolist()))
    found = [
        UrlStats(
            url=texts[int(value[index])], source=names[int(source[index])], count=int(counts[index]),
            errors=int(errors[index]), items=int(items[index]), mean_ms=float(mean_ms[index]),
            max_ms=float(max_ms[index]), last_seen_ms=int(last_seen_ms[index]),
        )
        for index in kept.tolist()
    ]  # fmt: skip
    found.sort(key=lambda url: (-url.mean_ms, url.url, url.source))
    return tuple(found[:limit])


def urls_by_sql(
    connection: Connection, span: TimeRange, filter: Filter, kind: Kind, limit: int
) -> tuple[UrlStats, ...]:
    """Return what `urls_of` returns, counted by the database.

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


def outcomes_of(groups: Groups) -> Mapping[str, int]:
    """Return how many scrapes had each outcome, most frequent first; "ok" or "failed" where none was given.

    Args:
        groups: By outcome.
    """
    texts = texts_of(groups, set(groups.value.tolist()))
    counts: Counter[str] = Counter()
    for value, count in zip(groups.value.tolist(), groups.count.tolist(), strict=True):
        counts[texts[value]] += count
    return _most_first(counts)


def outcomes_by_sql(connection: Connection, span: TimeRange, filter: Filter) -> Mapping[str, int]:
    """Return what `outcomes_of` returns, counted by the database.

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
        parts: What `errors_of` or `errors_by_sql` returned for each.
    """
    groups: dict[str, tuple[int, int]] = {}
    for error, failures, last_seen_ms in (group for part in parts for group in part):
        count, newest_ms = groups.get(error, (0, 0))
        groups[error] = (count + failures, max(newest_ms, last_seen_ms))
    return _by_frequency([ErrorGroup(error, *group) for error, group in groups.items()])


def joined_outcomes(parts: Sequence[Mapping[str, int]]) -> Mapping[str, int]:
    """Return the outcomes of several spans as those of one.

    Args:
        parts: What `outcomes_of` or `outcomes_by_sql` returned for each.
    """
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part)
    return _most_first(counts)


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _by_frequency(groups: list[Any]) -> tuple[ErrorGroup, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.failures, group.error)))
