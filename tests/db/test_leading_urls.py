"""URLs that come first, found part by part, are those of a table of all of them."""

from __future__ import annotations

from typing import get_args

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.breakdown import OTHERS, Groups, Texts, distinct, merged, objects
from db.columns import Names
from db.hashes import hashes_of
from db.leading_urls import UrlOrder, leading
from db.tables import urls_of

_SOURCES = ("a", "b")
_URLS = tuple(f"https://shop.example/{number}" for number in range(9))
# Few different numbers: equal ones are what ranks go wrong with.
_GROUP = st.tuples(
    st.sampled_from([*_URLS, ""]),
    st.integers(0, 1),
    st.booleans(),
    st.integers(1, 4),
    st.sampled_from([0.0, 5.0, 12.5]),
)
_PART = st.lists(st.tuples(_GROUP, st.booleans()), max_size=12)


def groups_of(rows: list[tuple[str, int, bool, int, float]]) -> Groups:
    urls = [url for url, *_ in rows]
    value = np.where([bool(url) for url in urls], hashes_of(urls), np.uint64(OTHERS)).astype(np.uint64)
    count = np.array([row[3] for row in rows], dtype=np.int64)
    texts: tuple[Texts, ...] = (distinct(value, objects(urls)),) if rows else ()
    return Groups(
        value=value, source=np.array([row[1] for row in rows], dtype=np.int32),
        scrape=np.zeros(len(rows), dtype=np.bool_), success=np.array([row[2] for row in rows], dtype=np.bool_),
        count=count, items=3 * count, data_size=count, sum_ms=count * np.array([row[4] for row in rows], dtype=float),
        max_ms=np.array([row[4] for row in rows], dtype=float), first_ms=1_000 + count, last_ms=2_000 + count,
        texts=texts,
    )  # fmt: skip


@given(st.lists(_PART, max_size=4), st.integers(1, 12), st.sampled_from(get_args(UrlOrder)), st.booleans())
def test_what_comes_first_is_what_comes_first_of_all(
    drawn: list[list[tuple[tuple[str, int, bool, int, float], bool]]], limit: int, order: UrlOrder, everything: bool
) -> None:
    names = Names()
    for source in _SOURCES:
        names.code(source)
    parts = [
        (
            groups_of([row for row, _ in part]),
            None if everything else np.array([own for _, own in part], dtype=np.bool_),
        )
        for part in drawn
    ]
    whole = merged([groups_of([row for row, kept in part if kept or everything]) for part in drawn])
    rank = sorted(
        urls_of(whole, names, 1_000, order),
        key=lambda url: (-(url.errors**2 / url.count if order == "worst" else 0), -url.mean_ms, url.url, url.source),
    )
    assert list(urls_of(leading(parts, limit, order), names, limit, order)) == rank[:limit]


def test_of_many_few_are_left_to_be_read() -> None:
    rows = [(f"https://shop.example/{number}", 0, True, 1, float(number)) for number in range(5_000)]
    found = leading([(groups_of(rows[:3_000]), None), (groups_of(rows[3_000:]), None)], 20, "slowest")
    assert sorted(found.max_ms.tolist()) == [float(number) for number in range(4_980, 5_000)]
