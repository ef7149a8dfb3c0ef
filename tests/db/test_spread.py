"""The exact spread of groups of durations, small and large, against numpy's own quantiles."""

from __future__ import annotations

import numpy as np
import pytest

from db.spread import RANKS, spread


@pytest.mark.parametrize(
    "sizes",
    [[], [0], [1], [0, 2, 0], [3, 0, 1, 2], [2_001, 2_002], [1, 5_000, 0, 2_003, 40], [20_000]],
)
@pytest.mark.parametrize("distinct", [1, 7, 10**6])
def test_spread_is_that_of_numpy(sizes: list[int], distinct: int) -> None:
    durations_ms = np.random.default_rng(len(sizes)).integers(0, distinct, 10 + sum(sizes)).astype(np.float64)
    given = durations_ms.copy()
    offsets = 7 + np.concatenate(([0], np.cumsum(np.array(sizes, dtype=np.int64))))  # others lie before and after
    found = spread(durations_ms, offsets)
    for group, size in enumerate(sizes):
        own = durations_ms[offsets[group] : offsets[group] + size]
        expected = [own.min(), own.max(), *np.quantile(own, RANKS)] if size else [np.nan] * 5
        answer = [found.min_ms[group], found.max_ms[group], *found.quantiles_ms[group]]
        np.testing.assert_allclose(answer, expected, rtol=1e-12)
    assert found.quantiles_ms.shape == (len(sizes), 3)
    np.testing.assert_array_equal(durations_ms, given)  # others read these rows, too
