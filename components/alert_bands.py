"""The times at which alerts fired, marked behind the lines of the charts that they concern."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from alerts.board import Standings, standings
from alerts.rules import Rule, What
from charts.info import FAILED_KEY, WARNING_KEY, Band, ChartInfo, LineInfo
from components.alert_infos import TOLD, Fired, fired
from components.view import View, source_of
from db.queries import Queries
from db.results import TimeRange

# What a chart of durations, of failures, of volume or of items shows.
DURATIONS: Final[frozenset[What]] = frozenset({"mean_ms", "p95_ms", "p99_ms"})
FAILURES: Final[frozenset[What]] = frozenset({"success_rate", "usable_success_rate", "error_count"})
VOLUME: Final[frozenset[What]] = frozenset({"throughput", "no_data"})
ITEMS: Final[frozenset[What]] = frozenset({"items", "yield", "green_but_empty"})

_MOST_BANDS: Final = 40
_MOST_EVENTS: Final = 2_000


def with_bands(info: ChartInfo, queries: Queries, view: View, now_ms: int, whats: Collection[What]) -> ChartInfo:
    """Return a chart with the times at which alerts about what it shows fired.

    Args:
        info: The chart; anything but lines over time stays as it is.
        queries: Who answers.
        view: Range and filters: alerts of sources that are filtered out aren't marked.
        now_ms: The moment, epoch milliseconds.
        whats: What rules measure that concern the chart.
    """
    if not isinstance(info, LineInfo) or not whats or not len(info.x_ms):
        return info
    range, found = view.time_range(now_ms), standings(queries.alert_board(), now_ms)
    spans = fired(queries.alert_history(range.start_ms, range.end_ms, TOLD, _MOST_EVENTS), found.firing)
    bands = _merged(_concerned(spans, found, view, frozenset(whats)), found, range, now_ms)
    if not bands:
        return info
    times = "1 time at which alerts fired is" if len(bands) == 1 else f"{len(bands)} times at which alerts fired are"
    return replace(info, bands=bands, description=f"{info.description} {times} marked.")


def _concerned(spans: Sequence[Fired], found: Standings, view: View, whats: frozenset[What]) -> list[Fired]:
    rules = {rule.id: rule for rule in found.setting.rules if rule.what in whats}
    return [one for one in spans if one.rule_id in rules and _seen(rules[one.rule_id], one.key, view)]


def _seen(rule: Rule, key: str, view: View) -> bool:
    """Say whether what an alert is about is among what a view shows."""
    if rule.kind != "all" and view.path in ("/navigation", "/scraping"):
        own = "navigation" if view.path == "/navigation" else "scrape"
        if rule.kind != own:
            return False
    if view.path.startswith("/scrapers/"):
        return rule.by == "fleet" or (rule.by == "source" and key == source_of(view.path))
    if rule.by == "source":
        return not view.sources or key in view.sources
    return not view.is_filtered


def _merged(spans: Sequence[Fired], found: Standings, range: TimeRange, now_ms: int) -> tuple[Band, ...]:
    """Return spans as bands; those that overlap are one, or their colours would add up."""
    # What fires still grows with the buckets, so that a chart moves only when one is over.
    edge_ms = min(range.end_ms, now_ms // range.bucket_ms * range.bucket_ms)
    rules = {rule.id: rule.name for rule in found.setting.rules}
    bands: list[Band] = []
    for one in sorted(spans, key=lambda one: one.start_ms):
        low, high = max(range.start_ms, one.start_ms), min(range.end_ms, one.end_ms or max(edge_ms, one.start_ms))
        if high < low:
            continue
        name = f"{rules.get(one.rule_id, one.name)}: {one.key}"
        colour = FAILED_KEY if one.severity == "critical" else WARNING_KEY
        if bands and low <= bands[-1].end_ms:
            last = bands[-1]
            worst = FAILED_KEY if FAILED_KEY in (colour, last.colour_key) else WARNING_KEY
            bands[-1] = Band(last.start_ms, max(last.end_ms, high), last.label, worst)
        else:
            bands.append(Band(low, high, name, colour))
    return tuple(bands[-_MOST_BANDS:])
