"""Sparklines: an area that moves only when a bucket ends."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.spark import spark_props, thinned
from db.results import TimeRange

FOUR = TimeRange(40_000, 80_000, 10_000)


def shape(values: list[float], now_ms: int = 80_000, *, from_zero: bool = True) -> str:
    path: str = spark_props(np.array(values), FOUR, now_ms, from_zero=from_zero)["style"]["clipPath"]
    return path


def test_each_bucket_is_a_step_between_floor_and_ceiling() -> None:
    assert shape([0, 1, 2, 4]) == (
        "polygon(0 100%,0% 96%,25% 96%,25% 73%,50% 73%,50% 50%,75% 50%,75% 4%,100% 4%,100% 100%)"
    )


def test_a_gap_goes_down_to_the_ground() -> None:
    assert "25% 100%,50% 100%" in shape([1, np.nan, 1, 1])


def test_the_bucket_that_is_not_over_is_left_out() -> None:
    assert shape([1, 2, 3, 4], now_ms=79_999) == shape([1, 2, 3, 99], now_ms=70_000)
    assert shape([1, 2, 3, 4], now_ms=80_000) != shape([1, 2, 3, 99], now_ms=80_000)


def test_all_equal_is_a_level_and_all_zero_a_thin_line() -> None:
    assert "0% 4%" in shape([5, 5, 5, 5])
    assert "0% 50%" in shape([5, 5, 5, 5], from_zero=False)
    assert "0% 96%" in shape([0, 0, 0, 0])


def test_without_data_nothing_is_drawn() -> None:
    assert shape([np.nan] * 4) == "polygon(0 0)"
    assert shape([1, 2, 3, 4], now_ms=0) == "polygon(0 0)"


def test_from_the_smallest_value_small_dips_show() -> None:
    assert "75% 4%" in shape([99, 98, 100, 100], from_zero=False)
    assert "25% 96%" in shape([99, 98, 100, 100], from_zero=False)


def test_many_values_are_thinned_by_means_that_stay_the_same_as_the_range_moves_on() -> None:
    values = np.arange(101, dtype=np.float64)
    before, after = thinned(values[:100], 1_000), thinned(values[1:], 1_001)
    assert len(before) <= 49
    assert set(before[2:-2]) <= set(after)


@given(arrays(np.float64, st.integers(0, 200)), st.integers(0, 10**9))
def test_any_values_can_be_drawn(values: np.ndarray, first: int) -> None:
    range = TimeRange(first * 10, (first + len(values)) * 10, 10)
    path = spark_props(values, range, range.end_ms)["style"]["clipPath"]
    assert path.startswith("polygon(")
    assert "nan" not in path
    assert "inf" not in path
