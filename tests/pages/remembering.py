"""Fleets that never change, and so need to add up an answer once only: what makes the tests of every page quick."""

from __future__ import annotations

from functools import cache

from tests.pages.memory_queries import MemoryQueries

# What costs the most: every page asks them several times, with the same range and filter.
_REMEMBERED = (
    "_events", "overview", "sources", "source_series", "duration_trend", "duration_histogram", "errors_by_kind",
    "slowest_urls", "outcomes", "filter_choices", "events", "event_count", "scheduler_runs", "scheduler_summary",
)  # fmt: skip


class RememberingQueries(MemoryQueries):
    """Answers of a fleet that nobody changes any more, each computed once, as the app's own queries share theirs.

    Args:
        fleet: Whose answers.
    """

    def __init__(self, fleet: MemoryQueries) -> None:
        self.__dict__.update(fleet.__dict__)
        for name in _REMEMBERED:
            setattr(self, name, cache(getattr(super(), name)))
