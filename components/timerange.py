"""Moments as people write them (`now-6h`, `now/d`, `2026-11-22T10:00`, epoch ms) and the buckets of a range."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
LONGEST_MS: Final = 3_660 * DAY_MS
MOST_BUCKETS: Final = 150

DEFAULT_FROM: Final = "now-15m"
DEFAULT_TO: Final = "now"
ACCEPTED: Final = "now, now-6h, now/d, 2026-11-22T10:00 (UTC) or epoch milliseconds"

# Neighbours differ by at most three times, so a range always has 50-150 buckets (fewer only under 250 seconds).
BUCKETS_MS: Final = (
    *(n * SECOND_MS for n in (5, 10, 30)),
    *(n * MINUTE_MS for n in (1, 2, 5, 10, 30)),
    *(n * HOUR_MS for n in (1, 2, 6, 12)),
    *(n * DAY_MS for n in (1, 2, 5, 10, 30)),
)

_UNIT_MS: Final = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_RELATIVE: Final = re.compile(r"now((?:[+-][0-9]{1,6}[smhdwMy])*)(?:/([smhdwMy]))?", re.ASCII)
_STEP: Final = re.compile(r"([+-])([0-9]+)([smhdwMy])", re.ASCII)
_EPOCH_MS: Final = re.compile(r"[0-9]{12,13}", re.ASCII)


class MomentError(ValueError):
    """A text that names no moment.

    Args:
        text: What was written.
        message: What is accepted, for the person who wrote it.
    """

    def __init__(self, text: str, message: str) -> None:
        super().__init__(message)
        self.text = text
        self.message = message


@dataclass(frozen=True, slots=True)
class QuickRange:
    """A range that one click chooses.

    Args:
        from_: How the query string writes its start; its end is `now`.
        title: What people read.
    """

    from_: str
    title: str


QUICK_RANGES: Final = (
    QuickRange("now-15m", "Last 15 minutes"),
    QuickRange("now-1h", "Last hour"),
    QuickRange("now-6h", "Last 6 hours"),
    QuickRange("now-24h", "Last 24 hours"),
    QuickRange("now-7d", "Last 7 days"),
    QuickRange("now-30d", "Last 30 days"),
)


def parse_moment(text: str, now_ms: int, *, end: bool = False) -> int:
    """Read a moment.

    Args:
        text: `now`, `now-6h`, `now-1d/d`, an ISO date or date-time (UTC when it names no zone), or epoch milliseconds.
        now_ms: What `now` is, epoch milliseconds.
        end: Whether it ends a range: `now/d` then means the end of the day instead of its start.

    Returns:
        Epoch milliseconds, between 2000 and 2100.

    Raises:
        MomentError: The text names no moment, or one outside these years.
    """
    text = text.strip()
    try:
        moment_ms = _read(text, now_ms, end=end)
    except (ValueError, OverflowError) as exc:
        raise MomentError(text, f"“{text[:40]}” is no time: write {ACCEPTED}.") from exc
    if not EARLIEST_MS <= moment_ms <= LATEST_MS:
        raise MomentError(text, f"“{text[:40]}” is outside the years 2000 to 2100.")
    return moment_ms


def is_relative(text: str) -> bool:
    """Return whether the moment moves with the clock."""
    return text.strip().startswith("now")


def bucket_for(length_ms: int, most_buckets: int = MOST_BUCKETS) -> int:
    """Choose the round bucket that divides a range into a third of `most_buckets` to `most_buckets` pieces.

    Args:
        length_ms: The range's length in milliseconds.
        most_buckets: The most pieces there may be.

    Returns:
        The bucket in milliseconds.

    >>> bucket_for(15 * MINUTE_MS)
    10000
    """
    for bucket_ms in BUCKETS_MS:
        if length_ms <= bucket_ms * most_buckets:
            return bucket_ms
    return BUCKETS_MS[-1]


def describe(from_: str, to: str) -> str:
    """Say a range in words, for instance "Last 15 minutes" or "2026-11-22 10:00 to now".

    Args:
        from_: The range's start as the query string writes it.
        to: Its end.
    """
    if to == DEFAULT_TO:
        for quick in QUICK_RANGES:
            if quick.from_ == from_:
                return quick.title
    start, end = _words(from_), _words(to)
    day, space, _ = start.partition(" ")
    if space and not is_relative(from_):
        end = end.removeprefix(f"{day} ")  # the day is said once
    return f"{start} to {end}"


def duration_words(length_ms: int) -> str:
    """Say a length in its largest fitting unit, for instance "15 minutes" or "7 days".

    Args:
        length_ms: The length in milliseconds.
    """
    for unit_ms, name in ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"), (SECOND_MS, "second")):
        if length_ms >= unit_ms and length_ms % unit_ms == 0:
            amount = length_ms // unit_ms
            if amount == 1:
                return name
            return f"{amount} {name}s"
    return f"{length_ms / SECOND_MS:g} seconds"


def _words(text: str) -> str:
    if _EPOCH_MS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return text if is_relative(text) else text.replace("T", " ")


def _read(text: str, now_ms: int, *, end: bool) -> int:
    if _EPOCH_MS.fullmatch(text):
        return int(text)
    relative = _RELATIVE.fullmatch(text)
    if relative is not None:
        moment = _to_datetime(now_ms)
        for sign, amount, unit in _STEP.findall(relative[1]):
            moment = _shift(moment, int(amount) * (1 if sign == "+" else -1), unit)
        return _to_ms(moment if relative[2] is None else _round(moment, relative[2], end=end))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if end and len(text) == 10:  # a bare date: the whole of that day belongs to the range
        moment += timedelta(days=1)
    return _to_ms(moment)


def _shift(moment: datetime, amount: int, unit: str) -> datetime:
    if unit in _UNIT_MS:
        return moment + timedelta(milliseconds=amount * _UNIT_MS[unit])
    months = moment.year * 12 + moment.month - 1 + amount * (12 if unit == "y" else 1)
    day = moment.day
    while True:  # the 31st of a shorter month is its last day, as everywhere
        try:
            return moment.replace(year=months // 12, month=months % 12 + 1, day=day)
        except ValueError:
            day -= 1
            if day < 28:
                raise


def _round(moment: datetime, unit: str, *, end: bool) -> datetime:
    if unit == "w":
        start = moment.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=moment.weekday())
    else:
        kept = "yMdhms".index(unit)
        start = moment.replace(
            month=moment.month if kept >= 1 else 1,
            day=moment.day if kept >= 2 else 1,
            hour=moment.hour if kept >= 3 else 0,
            minute=moment.minute if kept >= 4 else 0,
            second=moment.second if kept >= 5 else 0,
            microsecond=0,
        )
    return _shift(start, 1, unit) if end else start


def _to_datetime(moment_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=moment_ms)


def _to_ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
