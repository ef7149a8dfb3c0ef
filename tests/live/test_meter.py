"""Percentiles of the last minute, rates of the last seconds, counts by reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from live.meter import Durations, Rates
from live.tally import Tally


class Clock:
    """Seconds that a test moves."""

    def __init__(self, now_s: float = 1_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


@given(st.lists(st.floats(1e-6, 60), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_at_most_nine_percent_too_high(durations_s: list[float], share: float) -> None:
    durations = Durations(Clock())
    for duration_s in durations_s:
        durations.add(duration_s)
    exact_ms = 1_000 * float(np.quantile(durations_s, share, method="inverted_cdf"))
    told_ms = durations.percentile_ms(share)
    assert told_ms is not None
    assert exact_ms * 0.999 <= told_ms <= exact_ms * 1.1


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.001, 0.01, 0.1])), min_size=1, max_size=30),
    st.integers(0, 150),
)
def test_only_the_last_minute_counts(added: list[tuple[int, float]], later_s: int) -> None:
    clock = Clock()
    durations = Durations(clock)
    kept: list[tuple[float, float]] = []
    for wait_s, duration_s in added:
        clock.now_s += wait_s
        durations.add(duration_s)
        kept.append((clock.now_s, duration_s))
    clock.now_s += later_s
    fresh = [duration_s for at_s, duration_s in kept if at_s > clock.now_s - 60]
    told_ms = durations.percentile_ms(1.0)
    assert (told_ms is None) == (not fresh)
    if told_ms is not None:
        assert told_ms == pytest.approx(1_000 * max(fresh), rel=0.1)


def test_what_took_no_time_and_what_took_for_ever_count_too() -> None:
    durations = Durations(Clock())
    for duration_s in (0.0, -1.0, 1e9):
        durations.add(duration_s)
    assert durations.percentile_ms(0.5) == pytest.approx(0.001)
    assert (durations.percentile_ms(1.0) or 0) > 60_000


def test_a_rate_is_the_mean_of_the_last_seconds() -> None:
    clock, counters = Clock(), [0, 0]
    rates = Rates(lambda: (counters[0], counters[1]), span_s=10.0, clock_s=clock)
    assert rates.per_s() == (0.0, 0.0)
    for _ in range(30):
        clock.now_s += 1
        counters[0] += 5
        rates.sample()
    assert rates.per_s() == (5.0, 0.0)
    for _ in range(5):
        clock.now_s += 1
        rates.sample()
    assert rates.per_s() == (2.5, 0.0)


def test_a_tally_counts_by_reason() -> None:
    tally = Tally()
    tally.add("late")
    tally.add("late", 2)
    tally.add("early")
    assert tally.counts() == {"late": 3, "early": 1}
    assert tally.total() == 4
