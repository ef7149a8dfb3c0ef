"""Sketches of durations merge without a trace of order and answer within their stated error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import sketch

durations = st.one_of(
    st.floats(0, 7 * 86_400_000), st.integers(0, 7 * 86_400_000), st.sampled_from([0, 0.0005, 0.001, 0.0011, 1, 1000])
)


@given(st.lists(st.lists(durations, max_size=40), max_size=8))
def test_merged_sketch_equals_the_sketch_of_everything(parts: list[list[float]]) -> None:
    together = sketch.build(np.array([value for part in parts for value in part], dtype=float))
    sketches = [sketch.build(np.array(part, dtype=float)) for part in parts]
    assert sketch.merge(sketches) == together
    assert sketch.merge(sketches[::-1]) == together
    assert sketch.merge([sketch.merge(sketches[:3]), sketch.merge(sketches[3:])]) == together


@given(st.lists(durations, min_size=1, max_size=200), st.floats(0, 1))
def test_quantile_is_within_the_stated_error(values: list[float], rank: float) -> None:
    found = sketch.quantiles(sketch.build(np.array(values, dtype=float)), [rank])[0]
    exact = np.quantile(np.array(values, dtype=float), rank)
    assert found == pytest.approx(exact, rel=sketch.RELATIVE_ERROR * 1.000001, abs=0.0011)


def test_longest_and_shortest_durations_have_a_bin() -> None:
    bins = sketch.bins_of(np.array([0, 1e-9, 0.001, 7 * 86_400_000], dtype=float))
    assert list(bins) == [0, 0, 1, sketch.BINS - 1]


def test_empty_sketch_has_no_quantiles() -> None:
    assert sketch.build(np.array([])) == sketch.EMPTY == sketch.merge([])
    assert np.isnan(sketch.quantiles(sketch.EMPTY, [0.5, 0.99])).all()


@pytest.mark.parametrize("wrong", [b"", b"123456", b"\xff\xff\x02\x00\x00\x00"])
def test_foreign_bytes_are_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="rebuild the rollups"):
        sketch.unpack([sketch.EMPTY, wrong])


def test_sketch_of_a_varied_day_fits_its_column() -> None:
    everything = np.geomspace(0.001, 7 * 86_400_000, 100_000)
    assert len(sketch.build(everything)) < 65_535
