"""What a person did to a chart, free of any plotting library: what was clicked, and which span of time was dragged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01


@dataclass(frozen=True, slots=True)
class Pick:
    """What was clicked; each part is None where the chart has no such thing or it can't be told.

    Attributes:
        name: The category, slice, bubble or lane, as the info calls it.
        series: The place of the line or group among the info's.
        time_ms: The moment, epoch milliseconds.
    """

    name: str | None = None
    series: int | None = None
    time_ms: int | None = None


def moment_ms(value: Any) -> int | None:
    """Read a moment that a browser sent; None for anything that is no moment of this century.

    Args:
        value: Any JSON value: epoch milliseconds or a date and time in UTC.
    """
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value[:40])
        except ValueError:
            return None
        value = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp() * 1000
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return round(value) if EARLIEST_MS <= value <= LATEST_MS else None


def span_ms(start: Any, end: Any) -> tuple[int, int] | None:
    """Read a span of time that a browser sent; None for anything that is none.

    Args:
        start: As for `moment_ms`; before or after `end`.
        end: As for `moment_ms`.
    """
    start_ms, end_ms = moment_ms(start), moment_ms(end)
    if start_ms is None or end_ms is None or start_ms == end_ms:
        return None
    return min(start_ms, end_ms), max(start_ms, end_ms)
