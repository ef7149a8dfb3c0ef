"""Scores of scrapers, 0 to 100 each: how one compares with the others that a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from components.states import SILENT_AFTER_PAUSES, usual_pause_ms
from db.results import SourceStats, TimeRange

AXES: Final = ("success", "speed", "yield", "freshness", "volume")
DEFINITIONS: Final = (
    "Success is the success rate. Speed, yield and volume are relative to the best of the scrapers drawn here: the "
    "lowest mean duration, the most items per scrape, the most metrics. Freshness is 100 while a scraper is quiet for "
    f"no longer than its usual longest pause, and 0 from {SILENT_AFTER_PAUSES} times that on."
)

Score = float | None


def scores_of(sources: Sequence[SourceStats], range: TimeRange) -> dict[str, tuple[Score, ...]]:
    """Score scrapers against each other, rounded to a tenth.

    Args:
        sources: Their figures over the range. Only those that are shown together: among two thousand, some that did
            little are the fastest by chance, and next to these nobody else scores.
        range: The range; "now" is its end.

    Returns:
        Source -> one score of 0..100 for each of `AXES`, None where it can't be told.
    """
    means_ms = [stats.totals.mean_ms for stats in sources if stats.totals.mean_ms is not None]
    fastest_ms = min(means_ms, default=0.0)
    richest = max((_per_scrape(stats) or 0.0 for stats in sources), default=0.0)
    most = max((stats.totals.count for stats in sources), default=0)
    return {
        stats.source: (
            _rounded(stats.totals.success_rate),
            _share(fastest_ms, stats.totals.mean_ms),
            _share(_per_scrape(stats), richest),
            _rounded(_freshness(stats, range)),
            _share(stats.totals.count, most),
        )
        for stats in sources
    }


def _per_scrape(stats: SourceStats) -> float | None:
    return stats.totals.items / stats.totals.scrapes if stats.totals.scrapes else None


def _freshness(stats: SourceStats, range: TimeRange) -> float:
    pause_ms = usual_pause_ms(stats.counts, range.bucket_ms)
    pauses = (range.end_ms - stats.last_seen_ms) / pause_ms
    return 100.0 * min(1.0, max(0.0, (SILENT_AFTER_PAUSES - pauses) / (SILENT_AFTER_PAUSES - 1)))


def _share(part: float | None, whole: float | None) -> Score:
    """Return a part of a whole in percent; of nothing, everything is as good as anything."""
    if part is None or whole is None:
        return None
    return _rounded(100.0 * part / whole) if whole > 0 else 100.0


def _rounded(score: Score) -> Score:
    return None if score is None else round(score, 1)
