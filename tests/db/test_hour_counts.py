"""Hours of the week that were counted before and newer rows are together what all rows are at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from db.columns import DetailColumns, Names, chunk_of_metrics
from db.hour_counts import HourCounts
from tests.db.samples import NOON_MS, navigation

rows = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 900), st.booleans()), max_size=30)


def columns(told: list[tuple[int, int, bool]]) -> DetailColumns:
    names = Names()
    metrics = [
        navigation(at_ms=NOON_MS + halves * 1_800_000, navigation_duration_ms=float(took_ms), success=success)
        for halves, took_ms, success in told
    ]
    return DetailColumns([chunk_of_metrics(metrics, names, names)], names, names)


@given(rows, rows)
def test_counting_in_two_parts_is_counting_at_once(
    before: list[tuple[int, int, bool]], after: list[tuple[int, int, bool]]
) -> None:
    found = HourCounts.of(columns(before)).with_newer(columns(after))
    at_once = HourCounts.of(columns(before + after)).with_newer(columns([]))
    for name in ("counts", "successes", "mean_ms", "p95_ms"):
        np.testing.assert_allclose(getattr(found, name), getattr(at_once, name), rtol=1e-12)
    for _ in range(2):  # what was counted before stays as it was
        assert HourCounts.of(columns(before)).with_newer(columns([])).counts.sum() == len(before)
