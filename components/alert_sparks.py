"""Sparklines of alerts with the threshold drawn: shapes that one style names, and each alert's card picks its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from alerts.board import Shown
from alerts.measure import Measurer
from alerts.preview import measured_by_bucket, windows
from components.spark import polygon, thinned
from components.timerange import HOUR_MS, MINUTE_MS
from db.queries import Queries
from db.results import FloatArray, TimeRange

SPAN_MS: Final = 3 * HOUR_MS
STEP_MS: Final = 5 * MINUTE_MS
_FLOOR_PERCENT: Final = 96.0
_CEILING_PERCENT: Final = 4.0
_MOST: Final = 60  # alerts that get one: who has more of them reads the first


def has_spark(shown: Shown) -> bool:
    """Say whether what an alert measures can be drawn cheaply.

    Args:
        shown: The alert.
    """
    return measured_by_bucket(shown.rule)


def spark_style(queries: Queries, shown: Sequence[Shown], now_ms: int) -> dict[str, str]:
    """Return the shapes of alerts as CSS variables, by their tokens.

    Args:
        queries: Who answers.
        shown: The alerts, those that are seen first before the others.
        now_ms: The moment, epoch milliseconds.
    """
    end_ms = now_ms // STEP_MS * STEP_MS
    span = TimeRange(end_ms - SPAN_MS, end_ms, STEP_MS)
    by_rule: dict[str, list[Shown]] = defaultdict(list)
    for one in [one for one in shown if has_spark(one)][:_MOST]:
        by_rule[one.rule.id].append(one)
    style: dict[str, str] = {}
    for alerts in by_rule.values():
        # What is usual is drawn as it is now, so that only the values have to be found.
        plain = alerts[0].rule.model_copy(
            update={"baseline": None, "threshold": 0.0, "recover": None, "min_samples": 1}
        )
        values = np.full((len(alerts), span.bucket_count), np.nan)
        for place, (_, measured) in enumerate(windows(queries, Measurer(queries), plain, span)):
            for row, one in enumerate(alerts):
                at = measured.place(one.alert.key)
                if at is not None and measured.known[at]:
                    values[row, place] = measured.value[at]
        for row, one in enumerate(alerts):
            style |= _shape(one, values[row], span.start_ms // span.bucket_ms)
    return style


def _shape(one: Shown, values: FloatArray, first: int) -> dict[str, str]:
    points = thinned(values, first)
    threshold = one.alert.state.threshold
    known = points[np.isfinite(points)]
    top = max([1e-9, *known.tolist(), *([threshold] if threshold is not None and np.isfinite(threshold) else [])])
    style = {f"--spark-{one.token}": polygon(points / top) if known.size else "polygon(0 0)"}
    if threshold is not None and 0 <= threshold <= top:
        share = threshold / top
        style[f"--line-{one.token}"] = f"{_FLOOR_PERCENT - share * (_FLOOR_PERCENT - _CEILING_PERCENT):.3g}%"
    return style


def spark_of(shown: Shown) -> dict[str, Any]:
    """Return the styles of an alert's sparkline: (the shape, the line).

    Args:
        shown: The alert.
    """
    return {
        "shape": {"clipPath": f"var(--spark-{shown.token}, polygon(0 0))"},
        "line": {"top": f"var(--line-{shown.token}, -10px)"},
    }
