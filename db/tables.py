"""Tables of a range from what its rows add up to: URLs by duration or by failures, outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from db.breakdown import OTHERS, Groups, numbered, texts_of
from db.columns import Names
from db.leading_urls import UrlOrder, first_of
from db.results import UrlStats


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
    known = groups.value != OTHERS
    if not known.all():
        groups = groups.chosen(known)
    group, size = numbered(groups.value, groups.source)

    def sums(values: Any) -> Any:
        return np.bincount(group, weights=values, minlength=size)

    counts = sums(groups.count)
    mean_ms = sums(groups.sum_ms) / np.maximum(counts, 1)
    errors, items = sums(groups.count * ~groups.success), sums(groups.items)
    kept = first_of(counts, sums(groups.sum_ms), np.zeros(size) if order == "slowest" else errors, limit)
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


def _most_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _badness(url: UrlStats, order: UrlOrder) -> float:
    return 0.0 if order == "slowest" else url.errors * url.errors / url.count
