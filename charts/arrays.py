"""Arrays: chart values as numpy floats, and back as the short plain lists that travel to a browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from charts.info import TimesMs, Values

Floats = npt.NDArray[np.float64]


def as_floats(values: Values) -> Floats:
    """Return the values as float64, None and infinities as NaN (a gap)."""
    array = np.asarray(values)
    floats = array.astype(np.float64) if array.dtype != np.float64 else array
    finite = np.isfinite(floats)
    return floats if finite.all() else np.where(finite, floats, np.nan)


def largest_of(values: Floats) -> float:
    """Return the largest absolute value, NaN when there is none."""
    finite = values[np.isfinite(values)]
    return float(np.abs(finite).max()) if finite.size else float("nan")


def as_plain(values: Floats) -> list[Any]:
    """Return nested plain lists, rounded to 6 significant digits, NaN as None.

    Rounding keeps frames short and keeps noise in the last digits from looking like a change; whole numbers are kept
    exactly. None rather than NaN, because a NaN differs from itself in a comparison of old and new.

    Args:
        values: Any shape.
    """
    gaps = np.isnan(values)
    known = np.where(gaps, 0.0, values) if gaps.any() else values
    whole = np.rint(known)
    if np.array_equal(whole, known) and (known.size == 0 or np.abs(known).max() < 2**53):
        rounded: npt.NDArray[Any] = whole.astype(np.int64)
    else:
        with np.errstate(divide="ignore"):
            digits = 5 - np.floor(np.log10(np.abs(known)))
        # 10**digits is exact up to 1e22, so that the quotient is the nearest float to the decimal: it prints short.
        power = 10.0 ** np.clip(digits, 0, 22)
        rounded = np.rint(known * power) / power
    if gaps.any():
        rounded = rounded.astype(object)
        rounded[gaps] = None
    plain: list[Any] = rounded.tolist()
    return plain


def even_step_ms(x_ms: TimesMs) -> int | None:
    """Return the distance between moments when it is the same throughout, else None (also for fewer than two)."""
    moments = np.asarray(x_ms, dtype=np.int64)
    if moments.size < 2:
        return None
    steps = np.diff(moments)
    return int(steps[0]) if steps[0] > 0 and bool((steps == steps[0]).all()) else None


def lonely(values: Floats) -> npt.NDArray[np.bool_]:
    """Return which values stand between two gaps: a line alone would not show them.

    Args:
        values: Shape (lines, n).
    """
    known = ~np.isnan(values)
    before = np.zeros_like(known)
    after = np.zeros_like(known)
    before[:, 1:] = known[:, :-1]
    after[:, :-1] = known[:, 1:]
    alone: npt.NDArray[np.bool_] = known & ~before & ~after
    return alone


def evenly_spaced(edges: Floats) -> bool:
    """Return whether all bins are equally wide, so that their axis can be a plain one."""
    if edges.size < 3:
        return edges.size == 2
    widths = np.diff(edges)
    return bool(np.allclose(widths, widths[0], rtol=1e-6))


def around(moments_ms: TimesMs) -> tuple[int, int] | None:
    """Return a minute around a lone moment: a library alone would show a millisecond of it. Else None."""
    if len(moments_ms) == 0 or min(moments_ms) != max(moments_ms):
        return None
    return int(moments_ms[0]) - 30_000, int(moments_ms[0]) + 30_000
