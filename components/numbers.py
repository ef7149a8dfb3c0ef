"""Numbers and times as people read them: thousands separated, sensible digits, always with a unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

NOTHING = "–"
_NBSP = "\u00a0"  # a number and its unit stay on one line


def count(value: float | None) -> str:
    """Write a count: 1,234 up to a million, then 1.23 M.

    >>> count(1234)
    '1,234'
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if abs(value) < 1_000_000:
        return f"{value:,.0f}"
    for size, unit in ((1e12, "tn"), (1e9, "bn"), (1e6, "M")):
        if abs(value) >= size:
            scaled = value / size
            return f"{scaled:.3g}{_NBSP}{unit}" if abs(scaled) < 1_000 else f"{scaled:,.0f}{_NBSP}{unit}"
    return NOTHING


def percent(value: float | None) -> str:
    """Write a percentage of 0..100; only a full 100 is ever written as 100 and only 0 as 0.

    >>> percent(99.97)
    '99.9\\xa0%'
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if value in (0, 100):
        return f"{value:.0f}{_NBSP}%"
    return f"{min(max(value, 0.1), 99.9):.1f}{_NBSP}%" if 0 < value < 100 else f"{value:,.1f}{_NBSP}%"


def duration(value_ms: float | None) -> str:
    """Write a duration: 150 ms, 1.2 s, 2 min 5 s, 3 h 10 min.

    Args:
        value_ms: Milliseconds, or None.
    """
    if value_ms is None or not math.isfinite(value_ms):
        return NOTHING
    if 0 < value_ms < 0.05:
        return f"<0.1{_NBSP}ms"
    if value_ms < 9.95:
        return f"{value_ms:.1f}{_NBSP}ms" if value_ms else f"0{_NBSP}ms"
    if value_ms < 999.5:
        return f"{value_ms:.0f}{_NBSP}ms"
    seconds = value_ms / 1000
    if seconds < 9.995:
        return f"{seconds:.2f}{_NBSP}s"
    if seconds < 59.95:
        return f"{seconds:.1f}{_NBSP}s"
    whole = round(seconds)
    if whole < 3_600:
        return _two(whole // 60, "min", whole % 60, "s")
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / 3600)
    return _two(hours // 24, "d", hours % 24, "h")


def about(value_ms: float | None) -> str:
    """Write a duration that was learnt and not set, from ten minutes on without the seconds that nobody meant.

    >>> about(3_599_000)
    '1\\xa0h'
    """
    if value_ms is None or not 600_000 <= value_ms < 3_600_000:
        return duration(value_ms)
    return duration(round(value_ms / 30_000) * 30_000)


def age(length_ms: int) -> str:
    """Write how long ago something was, in its largest unit: 20 s, 5 min, 3 h, 12 d.

    Args:
        length_ms: Milliseconds, not negative.
    """
    for least_ms, unit_ms, unit in (
        (172_800_000, 86_400_000, "d"),
        (3_600_000, 3_600_000, "h"),
        (60_000, 60_000, "min"),
    ):
        if length_ms >= least_ms:
            return f"{length_ms // unit_ms}{_NBSP}{unit}"
    return f"{length_ms // 1000}{_NBSP}s"


def per_minute(value: float | None) -> str:
    """Write a rate: 3.4/min, 120/min, 642k/min."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value and value < 0.1:
        return "<0.1/min"
    if 10_000 <= value < 999_500:
        return f"{value / 1_000:.3g}k/min"
    return f"{value:.1f}/min" if 0 < value < 9.95 else f"{count(value)}/min"


def clock(moment_ms: int | None, *, span_ms: int = 0) -> str:
    """Write a moment as UTC clock time; with its day when the page spans more than one.

    Args:
        moment_ms: Epoch milliseconds, or None.
        span_ms: Length of the range that the page shows.

    >>> clock(1_700_000_000_000)
    '22:13:20'
    """
    if moment_ms is None:
        return NOTHING
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    return moment.strftime("%H:%M:%S" if span_ms <= 86_400_000 else "%d %b %H:%M:%S")


def date_time(moment_ms: int) -> str:
    """Write a moment in full, for instance "22 Nov 2026 10:32 UTC".

    Args:
        moment_ms: Epoch milliseconds.
    """
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%d %b %Y %H:%M UTC")


def exact_time(moment_ms: int) -> str:
    """Write a moment to the millisecond, for instance "22 Nov 2026 10:32:07.123".

    Args:
        moment_ms: Epoch milliseconds.
    """
    return f"{datetime.fromtimestamp(moment_ms // 1000, UTC):%d %b %Y %H:%M:%S}.{moment_ms % 1000:03d}"


def size(value_bytes: float | None) -> str:
    """Write an amount of data: 512 B, 1.2 kB, 3.45 MB (powers of 1,000).

    Args:
        value_bytes: Bytes, or None.
    """
    if value_bytes is None or not math.isfinite(value_bytes):
        return NOTHING
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(value_bytes) >= limit:
            return f"{value_bytes / limit:.3g}{_NBSP}{unit}"
    return f"{value_bytes:.0f}{_NBSP}B"


@dataclass(frozen=True, slots=True)
class Change:
    """How a number moved against the period before.

    Args:
        text: Arrow and size for the eye, for instance "▲ 12 %".
        words: The same for screen readers, for instance "up 12 %".
        mood: Whether it is good, bad or neither.
    """

    text: str
    words: str
    mood: Literal["good", "bad", "flat"]


def change(
    now: float | None, before: float | None, *, better: Literal["up", "down", "either"] = "either", points: bool = False
) -> Change:
    """Compare a number with the period before.

    Args:
        now: The number.
        before: The same of the period before; None or 0 when there was none.
        better: The direction that is good news.
        points: The numbers are percentages: their difference is told in points.
    """
    if now is None or before is None or not math.isfinite(now) or not math.isfinite(before):
        return Change("", "nothing to compare with", "flat")
    if now == before:
        return Change("= same", "unchanged", "flat")
    if before == 0 and not points:
        return Change("▲ new", "none in the period before", "flat")
    size = now - before if points else 100 * (now - before) / before
    if abs(size) < (0.05 if points else 0.5):
        return Change("≈ same", "nearly unchanged", "flat")
    direction: Literal["up", "down"] = "up" if size > 0 else "down"
    mood: Literal["good", "bad", "flat"] = "flat" if better == "either" else "good" if better == direction else "bad"
    amount = f"{abs(size):.1f}{_NBSP}pt" if points else _change_percent(abs(size))
    return Change(f"{'▲' if size > 0 else '▼'} {amount}", f"{direction} {amount}", mood)


def _change_percent(size: float) -> str:
    return f"{size:.0f}{_NBSP}%" if size < 1_000 else f"{size / 100 + 1:,.0f} times"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    text = f"{large}{_NBSP}{large_unit}"
    return f"{text} {small}{_NBSP}{small_unit}" if small else text
