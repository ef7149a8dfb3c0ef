"""Tables of a range: URLs by duration or by failures, outcomes; each from groups and, where there are none, in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sqlalchemy import Integer, func, literal_column, select, type_coerce
from sqlalchemy.engine import Connection

from db.breakdown import OTHERS, Groups, numbered, texts_of
from db.columns import Names
from db.detail import conditions
from db.models import PagePerformance as Page
from db.results import Filter, Kind, TimeRange, UrlStats

UrlOrder = Literal["slowest", "worst"]

_SUCCESS = type_coerce(Page.success, Integer)


def urls_of(groups: Groups, names: Names, limit: int, order: UrlOrder = "slowest") -> tuple[UrlStats, ...]:
    """Return URLs, the one with the highest mean duration first, or the one that fails worst.

    The worst has the most failures, each counted by the share of failures: a page that failed 3 times of 3 is worse
    than one that failed 10 times of 100. Equally bad ones are told apart by their mean duration.

    Args:
        groups: By URL.
        names: What the source numbers stand for.
        limit: How many at most.
        order: What comes first.
    """
    groups = groups.chosen(groups.value != OTHERS)
    group, size = numbered(groups.value, groups.source)

    def sums(values: Any) -> Any:
        return np.bincount(group, weights=values, minlength=size)

    counts = sums(groups.count)
    mean_ms = sums(groups.sum_ms) / np.maximum(counts, 1)
    errors, items = sums(groups.count * ~groups.success), sums(groups.items)
    badness = np.zeros(size) if order == "slowest" else errors * errors / np.maximum(counts, 1)
    # Everything that could be among the first, equals of the last one too: the text decides among those.
    kept = np.arange(size)
    if size > limit:
        by_rank = np.argpartition(-mean_ms, limit - 1) if order == "slowest" else np.lexsort((-mean_ms, -badness))
        last = by_rank[limit - 1]
        equal = badness == badness[last]
        kept = np.flatnonzero((badness > badness[last]) | (equal & (mean_ms >= mean_ms[last])))
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
    found.sort(key=lambda url: (-_badness(url, order), -url.mean_ms, url.url, url.source))
    return tuple(found[:limit])


def urls_by_sql(
    connection: Connection, span: TimeRange, filter: Filter, kind: Kind, limit: int, order: UrlOrder = "slowest"
) -> tuple[UrlStats, ...]:
    """Return what `urls_of` returns, counted by the database.

    Args:
        connection: An open connection.
        span: The range.
        filter: Which rows.
        kind: Navigations or scrapes only.
        limit: How many at most.
        order: What comes first.
    """
    duration_ms = Page.navigation_duration_ms if kind == "navigation" else Page.scrape_duration_ms
    mean_ms, failures = func.avg(duration_ms), func.sum(1 - _SUCCESS)
    first = [mean_ms.desc()]
    if order == "worst":
        # 1e0: whole numbers would be divided to whole or to rounded ones.
        first.insert(0, (literal_column("1e0") * failures * failures / func.count()).desc())
    statement = (
        select(
            Page.page_url, Page.scraper_source, func.count(), failures,
            func.sum(func.coalesce(Page.items_extracted, 0)), mean_ms, func.max(duration_ms), func.max(Page.created_at),
        )
        .where(*conditions(span.start_ms, span.end_ms, filter, kind))
        .group_by(Page.page_url, Page.scraper_source)
        .order_by(*first, Page.page_url, Page.scraper_source)
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


def _badness(url: UrlStats, order: UrlOrder) -> float:
    return 0.0 if order == "slowest" else url.errors * url.errors / url.count


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
