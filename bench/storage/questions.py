"""Everything that pages ask of db.queries, over the ranges and filters that people choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from components.timerange import QUICK_RANGES, parse_moment
from components.view import View
from db.queries import Queries

Ask = Callable[[], Any]

RANGES: Final = tuple(quick.from_.removeprefix("now-") for quick in QUICK_RANGES)
FILTERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "no_filter": {},
    "one_source": {"sources": ("scraper02",)},
    "failed": {"result": "failed"},
    "url_text": {"q": "items/17"},
    "scrapes": {"kind": "scrape"},
    "outcome": {"outcomes": ("blocked",)},
    "error_kind": {"error": "HTTP 503 Service Unavailable"},
    "domain": {"q": "www.site03.example"},
    "label": {"labels": ("team=t1",)},  # a quarter of the sources
    "rare_label": {"labels": ("env=test",)},
}
# These are asked of few ranges, and of the past only: of the newest rows they are like the ones before.
_OF_THE_PAST: Final = ("scrapes", "domain")
_RANGES_OF_THE_PAST: Final = ("1h", "24h", "7d")
# Filters that a scheduler run can't fulfil, or doesn't know of.
_WITHOUT_RUNS: Final = ("url_text", "label", "rare_label", *_OF_THE_PAST)
# Where the first span of the past ends, before the present.
FIRST_MINUTES_BACK: Final = 2 * 24 * 60 + 17
# These take no range: asked once for each filter they would be the same question.
WITHOUT_RANGE: Final = ("source_names", "last_recorded_ms", "daily_3_days")


def is_asked(range_name: str, filter_name: str, question: str, *, of_the_past: bool) -> bool:
    """Say whether a question is worth asking: not the same one under another name, nor every filter of every range."""
    if question.startswith("scheduler") and filter_name in _WITHOUT_RUNS:
        return False
    return filter_name not in _OF_THE_PAST or (of_the_past and range_name in _RANGES_OF_THE_PAST)


def view_of(range_name: str, filter_name: str) -> View:
    """Return what a click on a range and a filter makes."""
    return View(from_=f"now-{range_name}", **FILTERS[filter_name])


def view_before(range_name: str, filter_name: str, end_ms: int) -> View:
    """Return a view of the same length that ends at some moment of the past."""
    length_ms = end_ms - parse_moment(f"now-{range_name}", end_ms)
    return View(from_=str(end_ms - length_ms), to=str(end_ms), **FILTERS[filter_name])


def questions(queries: Queries, view: View, now_ms: int) -> dict[str, Ask]:
    """Return what the pages ask for a view, each as they ask it: lines of percentiles in wider buckets."""
    span, coarse, filter = view.time_range(now_ms), view.coarse_range(now_ms), view.filter
    return {
        "overview": partial(queries.overview, span, filter),
        "sources": partial(queries.sources, span, filter),
        "source_series": partial(queries.source_series, coarse, filter),
        "duration_trend": partial(queries.duration_trend, coarse, filter, "navigation"),
        "duration_histogram": partial(queries.duration_histogram, span, filter, "navigation"),
        "errors_by_kind": partial(queries.errors_by_kind, span, filter, "navigation"),
        "outcomes": partial(queries.outcomes, span, filter),
        "slowest_urls": partial(queries.slowest_urls, span, filter, "navigation", 20),
        "worst_urls": partial(queries.worst_urls, span, filter, "scrape", 20),
        "week_hours": partial(queries.week_hours, span, filter, "navigation"),
        "attempts": partial(queries.attempts, span, filter),
        "yields": partial(queries.yields, coarse, filter),
        "outcome_series": partial(queries.outcome_series, coarse, filter),
        "items_by_source": partial(queries.items_by_source, coarse, filter),
        "events": partial(queries.events, span, filter, 100),
        "scheduler_runs_50": partial(queries.scheduler_runs, span, filter, 50),
        "scheduler_runs_500": partial(queries.scheduler_runs, span, filter),
        "scheduler_summary": partial(queries.scheduler_summary, span, filter),
    }


def questions_without_range(queries: Queries) -> dict[str, Ask]:
    """Return what the pages ask besides."""
    return {
        "source_names": queries.source_names,
        "last_recorded_ms": queries.last_recorded_ms,
        "daily_3_days": partial(queries.daily, None, 3),
    }
