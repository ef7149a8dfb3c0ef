"""What is measured in the words of people: "success rate 42.0 %", "nothing heard for 12 min"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from alerts.rules import UNITS, What
from alerts.units import said

_BEFORE: Final[Mapping[str, str]] = {
    "success_rate": "success rate", "usable_success_rate": "usable success rate", "error_count": "",
    "mean_ms": "mean duration", "p95_ms": "p95 duration", "p99_ms": "p99 duration", "items": "", "yield": "",
    "field_coverage": "field coverage", "retries": "", "throughput": "", "no_data": "nothing heard for",
    "green_but_empty": "successful but without items:",
}  # fmt: skip
_RUNS: Final[Mapping[str, str]] = {
    "run_failed": "failed in a row", "run_missed": "missed", "run_late": "late", "run_overlapping": "overlapping",
    "run_lost": "lost", "run_too_long": "too long",
}  # fmt: skip
_ONE: Final[Mapping[str, str]] = {"errors": "error", "items": "item", "runs": "run", "runs in a row": "run in a row"}


def number(measure: str, value: float | None) -> str:
    """Write a measured value with its unit.

    Args:
        measure: What is measured (`alerts.rules.What`).
        value: In the unit of `UNITS`; None when nothing is known.
    """
    if value is None:
        return "–"
    if measure == "no_data":
        return said(value)
    digits = 0 if abs(value) >= 100 or value == int(value) else 1 if abs(value) >= 10 else 2
    unit = UNITS.get(cast(What, measure), "")
    return f"{value:,.{digits}f} {_ONE.get(unit, unit) if value == 1 else unit}".strip()


def measured(measure: str, value: float | None, field: str = "") -> str:
    """Say what was measured.

    Args:
        measure: What is measured.
        value: The value; None when nothing is known.
        field: The field whose coverage it is.
    """
    if value is None:
        return "nothing is known"
    if measure == "field_coverage" and field:
        return f"field {field} in {number(measure, value)} of the items"
    if measure in _RUNS:
        return f"{value:,.0f} run{'' if value == 1 else 's'} {_RUNS[measure]}"
    return f"{_BEFORE.get(measure, measure.replace('_', ' '))} {number(measure, value)}".strip()


def limit(measure: str, threshold: float | None) -> str:
    """Say what a value was compared with, "" when nothing is to be said.

    Args:
        measure: What is measured.
        threshold: The threshold; None without one.
    """
    if threshold is None or measure in _RUNS:
        return ""
    return f"threshold {number(measure, threshold)}"
