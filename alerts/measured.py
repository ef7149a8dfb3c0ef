"""What a rule measured of each of its alerts, and what is bad and fine of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts.rules import Baseline, Rule
from alerts.states import Observation
from db.columns import BoolArray
from db.results import FloatArray


@dataclass(slots=True, eq=False)
class Measured:
    """A rule's alerts, n of them.

    Args:
        keys: What each is about.
        value: What was measured, float64[n]; NaN where nothing could be.
        threshold: What it is compared with, float64[n]; NaN where that isn't known.
        samples: What it was measured from, [n].
        bad: bool[n].
        fine: bool[n]; what is neither bad nor fine lies between the threshold and the one for recovery.
        known: Whether there was something to judge, bool[n].
    """

    keys: tuple[str, ...]
    value: FloatArray
    threshold: FloatArray
    samples: npt.NDArray[Any]
    bad: BoolArray
    fine: BoolArray
    known: BoolArray
    _places: Mapping[str, int] | None = field(default=None, repr=False)

    def place(self, key: str) -> int | None:
        """Return where an alert stands, None when there is no such one."""
        if self._places is None:
            self._places = {key: place for place, key in enumerate(self.keys)}
        return self._places.get(key)

    def at(self, place: int) -> Observation:
        """Return what was seen of the alert at a place."""
        if not self.known[place]:
            return Observation("no_data", samples=int(self.samples[place]))
        return Observation(
            "bad" if self.bad[place] else "fine" if self.fine[place] else "between",
            _number(self.value[place]),
            _number(self.threshold[place]),
            int(self.samples[place]),
        )


def judged(
    rule: Rule, keys: tuple[str, ...], value: FloatArray, samples: npt.NDArray[Any], usual: FloatArray | None = None
) -> Measured:
    """Compare what was measured with a rule's threshold and with what is usual.

    With both, a value is bad when it is beyond both. Where what is usual isn't known, nothing is judged.

    Args:
        rule: The rule.
        keys: What each alert is about, n of them.
        value: What was measured, float64[n].
        samples: What from, [n].
        usual: What is usual, float64[n]; None for a rule without a baseline.
    """
    size = len(value)
    bounds, recoveries = [], []
    if rule.threshold is not None:
        bounds.append(np.full(size, rule.threshold))
        recoveries.append(np.full(size, rule.threshold if rule.recover is None else rule.recover))
    if rule.baseline is not None and usual is not None:
        for percent, found in zip(_tolerances(rule.baseline), (bounds, recoveries), strict=True):
            found.append(usual * (1 + (-percent if rule.below else percent) / 100))
    pick = np.minimum if rule.below else np.maximum
    bound, recovery = bounds[0], recoveries[0]
    for other in bounds[1:]:
        bound = pick(bound, other)  # NaN where either is
    for other in recoveries[1:]:
        recovery = pick(recovery, other)
    known = (samples >= rule.min_samples) & np.isfinite(value) & np.isfinite(bound)
    with np.errstate(invalid="ignore"):
        bad = known & ((value < bound) if rule.below else (value > bound))
        fine = known & ((value >= recovery) if rule.below else (value <= recovery))
    return Measured(keys, value, bound, samples, bad, fine & ~bad, known)


def _tolerances(baseline: Baseline) -> tuple[float, float]:
    bound = baseline.tolerance_percent
    return bound, bound if baseline.recover_percent is None else baseline.recover_percent


def _number(value: Any) -> float | None:
    number = float(value)
    return number if np.isfinite(number) else None
