"""Numbers on their way to the browser."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charts.arrays import around, as_floats, as_plain, even_step_ms, evenly_spaced, largest_of, lonely

numbers = st.floats(allow_infinity=False, width=64)


@given(st.lists(st.one_of(st.none(), numbers), max_size=30))
def test_numbers_keep_six_digits_and_gaps_become_none(values: list[float | None]) -> None:
    plain = as_plain(as_floats(values))
    json.dumps(plain, allow_nan=False)
    for value, sent in zip(values, plain, strict=True):
        if value is None or math.isnan(value):
            assert sent is None
        else:
            assert math.isclose(sent, value, rel_tol=1e-5, abs_tol=1e-22)


@given(st.lists(st.integers(-(2**52), 2**52), max_size=30))
def test_whole_numbers_are_kept_exactly(values: list[int]) -> None:
    assert as_plain(as_floats(values)) == values


@given(st.lists(st.decimals(-100_000, 100_000, places=2), min_size=1, max_size=20))
def test_short_decimals_are_sent_short(values: list) -> None:
    for sent in as_plain(as_floats([float(value) for value in values])):
        assert len(str(sent)) <= 10


def test_an_infinity_is_a_gap() -> None:
    assert as_plain(as_floats((1, math.inf, -math.inf))) == [1, None, None]


def test_shapes_are_kept() -> None:
    assert as_plain(np.array([[1.5, np.nan], [2, 3]])) == [[1.5, None], [2, 3]]
    assert as_plain(np.empty((0, 3))) == []


def test_only_even_moments_have_a_step() -> None:
    assert even_step_ms((1, 3, 5)) == 2
    assert [even_step_ms(moments) for moments in ((), (1,), (1, 1), (1, 2, 4), (3, 2, 1))] == [None] * 5


def test_a_lonely_value_stands_between_gaps_or_edges() -> None:
    nan = math.nan
    rows = np.array([[1, nan, 2, 3, nan, 4], [nan, 5, nan, nan, 6, 7]])
    assert lonely(rows).tolist() == [
        [True, False, False, False, False, True],
        [False, True, False, False, False, False],
    ]


def test_the_largest_is_by_size_and_without_gaps() -> None:
    assert largest_of(np.array([1, -7, math.nan])) == 7
    assert math.isnan(largest_of(np.array([math.nan])))


def test_a_lone_moment_is_given_a_minute_around_it() -> None:
    assert around((60_000,)) == (30_000, 90_000)
    assert around(()) is None
    assert around((1, 2)) is None


def test_even_bins_are_told_from_uneven_ones() -> None:
    assert evenly_spaced(np.linspace(0, 0.7, 8))
    assert evenly_spaced(np.array([3.0, 9.0]))
    assert not evenly_spaced(np.array([1.0, 10.0, 100.0]))
    assert not evenly_spaced(np.array([]))
