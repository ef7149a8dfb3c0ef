"""When a fleet counts as quiet: longer than usual for it, never because it reports seldom."""

from __future__ import annotations

import pytest

from web.freshness import LOOKED_AT, quiet_since_ms

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
NOW_MS = 1_700_000_000_000


def every(gap_ms: int, *, newest_ms: int, count: int = 100) -> list[int]:
    """Return times, newest first, a gap apart."""
    return [newest_ms - n * gap_ms for n in range(count)]


@pytest.mark.parametrize(
    ("gap_ms", "quiet_ms", "stale"),
    [
        (50, 119_000, False),
        (50, 121_000, True),
        (MINUTE_MS, 4 * MINUTE_MS, False),
        (MINUTE_MS, 6 * MINUTE_MS, True),
        (HOUR_MS, 4 * HOUR_MS, False),
        (HOUR_MS, 6 * HOUR_MS, True),
    ],
)
def test_quiet_is_five_times_the_usual_gap_and_two_minutes_at_least(gap_ms: int, quiet_ms: int, stale: bool) -> None:
    newest_ms = NOW_MS - quiet_ms
    assert quiet_since_ms(every(gap_ms, newest_ms=newest_ms), NOW_MS) == (newest_ms if stale else None)


def test_a_fleet_that_reports_in_bursts_is_usually_quiet_between_them() -> None:
    newest_ms = NOW_MS - 2 * HOUR_MS
    times = [time for burst in range(5) for time in every(100, newest_ms=newest_ms - burst * HOUR_MS)]
    assert len(times) <= LOOKED_AT
    assert quiet_since_ms(times, NOW_MS) is None
    assert quiet_since_ms(times, NOW_MS + 4 * HOUR_MS) == newest_ms


def test_without_metrics_or_with_one_or_with_a_clock_ahead_nothing_breaks() -> None:
    assert quiet_since_ms([], NOW_MS) is None
    assert quiet_since_ms([NOW_MS], NOW_MS) is None
    assert quiet_since_ms([NOW_MS - HOUR_MS], NOW_MS) == NOW_MS - HOUR_MS
    assert quiet_since_ms([NOW_MS + HOUR_MS, NOW_MS], NOW_MS) is None
