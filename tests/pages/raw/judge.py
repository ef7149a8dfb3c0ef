"""How a shown number is compared with the exact one: counts to the last one, percentiles within the sketch's error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from db.sketch import RELATIVE_ERROR


def same(shown: Any, exact: Any) -> None:
    """Require equal numbers, gaps (NaN, None) at the same places; sums of floats may differ in their last digits."""
    left = np.array([np.nan if value is None else value for value in shown], dtype=np.float64)
    right = np.array([np.nan if value is None else value for value in exact], dtype=np.float64)
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9, equal_nan=True)


def near_percentile(shown: float | None, durations_ms: npt.ArrayLike, rank: float) -> None:
    """Require a percentile within the sketch's relative error of the two durations that the exact one lies between."""
    values = np.asarray(durations_ms, dtype=np.float64)
    if not len(values):
        assert shown is None or np.isnan(shown)
        return
    assert shown is not None
    low, high = (float(np.quantile(values, rank, method=method)) for method in ("lower", "higher"))  # type: ignore[call-overload]
    allowed = RELATIVE_ERROR * 1.001
    assert low * (1 - allowed) <= shown <= high * (1 + allowed), (shown, low, high)


def near_percentiles(shown: Any, frame: pd.DataFrame, buckets: int, rank: float) -> None:
    """Require the percentile of every bucket; a bucket without rows is a gap."""
    by_bucket = dict(list(frame.groupby("bucket").duration_ms))
    for bucket in range(buckets):
        near_percentile(float(shown[bucket]), by_bucket.get(bucket, pd.Series(dtype=float)).to_numpy(), rank)
