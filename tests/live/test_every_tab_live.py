"""Live equals reload, for every tab: after any run of metrics the followed page shows what a fresh load would show."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charts import make_adapter
from components.content import Content
from components.view import View
from db.results import Event, SchedulerRunRow
from live.diff import digests, normalise
from live.followed import Joining, LiveView
from live.views import ViewEngine
from pages import PAGES
from pages.page import Page
from tests.live.driven import AT_ONCE, said
from tests.live.patching import apply_patch
from tests.pages.memory_queries import NOW_MS, MemoryQueries

SEARCHES = ("", "?from=now-6h", "?source=a", "?result=failed&compare=day", "?compare=before", "?kind=scrape&q=p1")
NUMBERS = itertools.count(1)


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Draw a navigation or a scrape of one of three sources in the last minutes."""
    kind = draw(st.sampled_from(["navigation", "scrape"]))
    ok = draw(st.booleans())
    return Event(
        id=f"p:{next(NUMBERS)}",
        kind=kind,
        source=draw(st.sampled_from(["a", "b", "<i>c</i>"])),
        url=f"https://example.org/p{draw(st.integers(0, 3))}",
        duration_ms=draw(st.floats(0, 1e6, allow_nan=False)),
        items=draw(st.integers(0, 50)) if kind == "scrape" else None,
        retry_count=draw(st.integers(0, 2)) if kind == "navigation" else None,
        success=ok,
        error=None if ok else draw(st.sampled_from([None, "timeout", "HTTP 503"])),
        status_code=draw(st.sampled_from([None, 200, 503])),
        outcome=draw(st.sampled_from([None, "ok", "blocked"])) if kind == "scrape" else None,
        recorded_at_ms=NOW_MS - draw(st.integers(0, 1_200_000)),
    )


@st.composite
def runs(draw: st.DrawFn) -> SchedulerRunRow:
    """Draw a run of one of two jobs."""
    ok = draw(st.booleans())
    return SchedulerRunRow(
        id=f"s:{next(NUMBERS)}",
        scheduler_name=draw(st.sampled_from(["nightly", "hourly"])),
        source=None,
        recorded_at_ms=NOW_MS - draw(st.integers(0, 1_200_000)),
        run_id=None,
        duration_ms=draw(st.floats(0, 90_000, allow_nan=False)),
        items=draw(st.integers(0, 9)),
        success=ok,
        error=None if ok else "boom",
    )


class OnePage:
    """One page over whatever has been stored until now."""

    def __init__(self, page: Page, view: View) -> None:
        self.page, self.view = page, view
        self.adapter = make_adapter("plotly")
        self.now_ms = NOW_MS
        self.queries = MemoryQueries()

    def numbers(self, href: str, now_ms: int) -> Content:
        del href, now_ms
        return self.page.numbers(self.queries, self.view, self.now_ms)

    def charts(self, href: str, now_ms: int) -> Content:
        del href, now_ms
        return self.page.charts(self.queries, self.adapter, self.view, self.now_ms)

    def status(self, now_ms: int) -> Content:
        del now_ms
        return {}

    def period_ms(self, href: str) -> int:
        del href
        return 3_600_000

    def fresh(self) -> dict[str, dict[str, Any]]:
        return normalise(self.page.content(self.queries, self.adapter, self.view, self.now_ms))


class Following:
    """A browser that applies what the engine sends; the engine is driven by hand, so that nothing waits for a clock."""

    def __init__(self, pages: OnePage) -> None:
        self.pages = pages
        self.engine = ViewEngine(pages, self.deliver, tempo=AT_ONCE)
        self.content = pages.fresh()
        self.view = LiveView("/")
        self.view.joining.append(Joining("r", digests(self.content)))
        self.advance()

    def deliver(self, _renderers: object, payload: bytes) -> None:
        for component_id, props in said(payload):
            shown = self.content.setdefault(component_id, {})
            for name, value in props.items():
                shown[name] = apply_patch(shown.get(name), value)

    def advance(self) -> None:
        """Let the engine do all that is due after data landed."""
        self.view.numbers_dirty = self.view.charts_dirty = True
        self.engine._advance(self.view)
        while self.view.charts_waiting:
            self.engine._advance(self.view)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@settings(max_examples=12)
@given(
    search=st.sampled_from(SEARCHES),
    batches=st.lists(st.tuples(st.lists(events(), max_size=12), st.lists(runs(), max_size=2)), min_size=1, max_size=4),
    steps_ms=st.lists(st.integers(0, 40_000), min_size=4, max_size=4),
)
def test_after_every_batch_the_followed_page_shows_what_a_fresh_load_shows(
    page: Page, search: str, batches: list[tuple[list[Event], list[SchedulerRunRow]]], steps_ms: list[int]
) -> None:
    path = "/scrapers/a" if page.path == "/scrapers/" else page.path
    pages = OnePage(page, View.parse(path, search))
    following = Following(pages)
    for (new_events, new_runs), step_ms in zip(batches, steps_ms, strict=False):
        pages.now_ms += step_ms  # buckets end, too
        pages.queries = MemoryQueries([*pages.queries.all, *new_events], [*pages.queries.runs, *new_runs])
        following.advance()
        fresh = pages.fresh()
        # What left the page stays in the browser's memory and isn't seen any more.
        assert {id: following.content.get(id) for id in fresh} == fresh
