"""Tables of a range from what its rows add up to: failures by kind, URLs by duration, outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from db.breakdown import OTHERS, Groups, numbered, texts_of
from db.columns import Names
from db.results import ErrorGroup, UrlStats


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


def _by_frequency(groups: list[Any]) -> tuple[ErrorGroup, ...]:
    return tuple(sorted(groups, key=lambda group: (-group.failures, group.error)))
