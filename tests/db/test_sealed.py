"""Ranges counted out once say the same of sources and buckets however many of them are counted at a time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import sealed, sketch
from db.cell_sums import minute_cells
from db.columns import DetailColumns, Names, chunk_of_metrics
from db.results import FloatArray
from db.sealed import Sealed
from db.spread import RANKS
from tests.db.samples import navigation

MINUTE_MS = 60_000
BUCKETS = 6


@pytest.mark.parametrize("most_places", [1, 700, 1 << 21])
@given(
    measured=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, BUCKETS * MINUTE_MS - 1), st.floats(0, 90_000)), max_size=60
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_quantiles_are_those_of_each_source_and_bucket(
    most_places: int, measured: list[tuple[int, int, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_MOST_PLACES", most_places)
    names = Names()
    metrics = [
        navigation(f"s{source}", at_ms, navigation_duration_ms=duration_ms)
        for source, at_ms, duration_ms in sorted(measured, key=lambda one: one[1])
    ]
    rows = DetailColumns([chunk_of_metrics(metrics, names, names)], names, names)
    found = Sealed.of(minute_cells(rows), 0, MINUTE_MS, BUCKETS)
    by_bucket: defaultdict[int, list[float]] = defaultdict(list)
    by_source: defaultdict[tuple[int, int], list[float]] = defaultdict(list)
    for source, at_ms, duration_ms in measured:
        by_bucket[at_ms // MINUTE_MS].append(duration_ms)
        by_source[source, at_ms // MINUTE_MS].append(duration_ms)
    for bucket in range(BUCKETS):
        assert found.buckets.quantiles_ms[bucket] == pytest.approx(_quantiles(by_bucket[bucket]), nan_ok=True)
    quantiles_ms = found.quantiles_by_source(0, MINUTE_MS)
    for place, code in enumerate(found.codes.tolist()):
        for bucket in range(BUCKETS):
            own = by_source[int(rows.source_names[code][1:]), bucket]
            assert quantiles_ms[place, bucket] == pytest.approx(_quantiles(own), nan_ok=True)


def _quantiles(durations_ms: list[float]) -> FloatArray:
    found = sketch.quantiles(sketch.build(np.array(durations_ms)), RANKS)
    return found if not durations_ms else np.clip(found, min(durations_ms), max(durations_ms))
