"""How far back old events are looked for: no hour is left out that has some, and no more is read than must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from db.cells import HOUR_MS, MINUTE_MS, SLOT_MS
from db.event_search import _steps_back

START_MS = 1000 * HOUR_MS


def walk(
    start_ms: int, end_ms: int, counts: Callable[[int, int], Mapping[int, int] | None], rows_ms: list[int], limit: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the spans that were looked through until enough was found, and what was."""
    spans: list[tuple[int, int]] = []
    found: list[int] = []
    for low_ms, high_ms in _steps_back(start_ms, end_ms, counts, lambda: limit - len(found)):
        spans.append((low_ms, high_ms))
        found[:] = [*sorted(at_ms for at_ms in rows_ms if low_ms <= at_ms < high_ms), *found][-limit:]
        if len(found) == limit:
            break
    return spans, found


def counted(rows_ms: list[int], start_ms: int, end_ms: int) -> dict[int, int]:
    """Return how many rows the whole hours of a span have."""
    found = Counter(at_ms // HOUR_MS * HOUR_MS for at_ms in rows_ms)
    return {hour: rows for hour, rows in found.items() if start_ms <= hour and hour + HOUR_MS <= end_ms}


@given(
    minutes=st.lists(st.integers(0, 40 * 60 - 1), max_size=60),
    bounds=st.tuples(st.integers(0, 40 * 60), st.integers(0, 40 * 60)),
    others=st.dictionaries(st.integers(0, 39), st.integers(1, 30), max_size=20),
    limit=st.integers(1, 12),
    known=st.booleans(),
)
def test_the_newest_rows_are_found_whatever_else_the_hours_have(
    minutes: list[int], bounds: tuple[int, int], others: dict[int, int], limit: int, known: bool
) -> None:
    start_ms, end_ms = (START_MS + minute * MINUTE_MS for minute in sorted(bounds))
    rows_ms = sorted(START_MS + minute * MINUTE_MS for minute in minutes)
    # Rows with the labels that something else of the filter leaves out count, too.
    all_ms = rows_ms + [START_MS + hour * HOUR_MS for hour, rows in others.items() for _ in range(rows)]
    counts = partial(counted, all_ms) if known else lambda *_: None
    spans, found = walk(start_ms, end_ms, counts, rows_ms, limit)
    assert found == [at_ms for at_ms in rows_ms if start_ms <= at_ms < end_ms][-limit:]
    edges = [edge for low_ms, high_ms in spans for edge in (high_ms, low_ms)]
    assert edges == sorted(edges, reverse=True)
    assert all(start_ms <= low_ms < high_ms <= end_ms for low_ms, high_ms in spans)


def test_what_lies_evenly_is_found_by_reading_little_more_than_it_takes() -> None:
    end_ms = START_MS + 100 * HOUR_MS
    rows_ms = [START_MS + place * 2 * MINUTE_MS for place in range(3000)]  # thirty an hour
    spans, found = walk(START_MS, end_ms, partial(counted, rows_ms), rows_ms, 100)
    assert found == rows_ms[-100:]
    assert sum(high_ms - low_ms for low_ms, high_ms in spans) <= 100 * 2 * MINUTE_MS + 3 * SLOT_MS
    assert len(spans) == 2


def test_hours_without_such_rows_are_passed_over() -> None:
    end_ms = START_MS + 700 * HOUR_MS + 1
    rows_ms = [START_MS + HOUR_MS, START_MS + 300 * HOUR_MS]
    spans, found = walk(START_MS, end_ms, partial(counted, rows_ms), rows_ms, 100)
    assert found == rows_ms
    assert sum(high_ms - low_ms for low_ms, high_ms in spans) <= 3 * HOUR_MS
