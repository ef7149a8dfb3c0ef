"""The page of one scraper: its figures, durations, results, runs, errors, slowest pages and latest events."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import scraper_infos
from components.alert_bands import DURATIONS, FAILURES
from components.cards import stat_card, stat_state
from components.compare import earlier_range, earlier_words
from components.content import Content
from components.empty import no_data, no_such_scraper
from components.error_table import error_content, error_table
from components.event_table import event_content, event_table, leading, older_event_content
from components.export_menu import export_size
from components.field_table import MOST_FIELDS, field_props, no_fields
from components.field_table import ONE_SOURCE_COLUMNS as ONE_SOURCE_FIELD_COLUMNS
from components.frame import frame, frame_content, grid
from components.job_tables import RUN_COLUMNS, run_leads, run_row
from components.leads import events_of
from components.more import more_line, more_props
from components.nav import tab
from components.numbers import NOTHING, clock
from components.run_table import SCRAPER_RUN_COLUMNS, run_props
from components.spark import spark_props
from components.states import states_of
from components.tables import table, table_card, table_props
from components.totals_cards import totals_cards, totals_numbers, totals_sparks
from components.trends import duration_chart
from components.trouble import cut_table_part, has_rows, table_part
from components.url_table import ONE_SOURCE_COLUMNS, url_props
from components.view import View, source_of
from db.field_coverage import FieldCoverage
from db.queries import Queries
from db.results import Filter, Overview, SchedulerRunRow
from db.told_runs import RunLine
from pages.chart import PageChart, cards, drawn, exports
from pages.page import (
    Export,
    Page,
    Rows,
    RowStream,
    error_rows,
    event_export,
    events_in,
    field_rows,
    rows_of,
    url_rows,
)

_TAB: Final = tab("scrapers")
_MOST_EVENTS: Final = 50
_MOST_URLS: Final = 10
_MOST_RUNS: Final = 20
# Bars of a bucket each: more would be lines.
_BAR_BUCKETS: Final = 30


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return cards and tables of the scraper that the path names.

    Args:
        queries: Who answers.
        view: Its path names the scraper; its own choice of sources is ignored.
        now_ms: The moment, epoch milliseconds.
    """
    asked = _only(view)
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms
    overview = queries.overview(range, asked.filter, earlier_range(view, range))

    def slowest() -> dict[str, Any]:
        urls = queries.slowest_urls(range, asked.filter, "navigation", _MOST_URLS)
        return url_props(urls, ONE_SOURCE_COLUMNS, kind="navigation", span_ms=span_ms)

    def jobs() -> dict[str, Any]:
        runs = _scheduled(queries, asked, now_ms, _MOST_RUNS)
        return table_props(RUN_COLUMNS, [run_row(run, span_ms) for run in runs], run_leads(runs))

    latest = event_content("scraper-events", lambda: queries.events(range, asked.filter, _MOST_EVENTS), span_ms=span_ms)
    scheduled = table_part("scraper-jobs", jobs)
    empty = None
    if not (overview.current.count or has_rows(latest) or has_rows(scheduled)):
        empty = _nothing(queries, view, now_ms)
    return {
        **frame_content("scraper", view, now_ms, empty),
        **totals_numbers("scraper", overview, before=earlier_words(view, range), one_source=True),
        **_state(queries, asked, overview),
        **error_content(
            "scraper-failures",
            lambda: queries.errors_by_kind(range, asked.filter),
            view,
            span_ms=span_ms,
            one_source=True,
        ),
        **table_part("scraper-slowest", slowest),
        **scheduled,
        **latest,
        **export_size("scraper-events", lambda: events_in(queries, asked, now_ms)),
    }


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts of the scraper that the path names.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Its path names the scraper.
        now_ms: The moment, epoch milliseconds.
    """
    overview = queries.overview(view.coarse_range(now_ms), _only(view).filter)
    series = overview.series
    range = view.time_range(now_ms)
    return {
        **drawn(CHARTS, queries, adapter, view, now_ms),
        # Put together from every row of the range: once a second is enough.
        **table_part(
            "scraper-runs",
            lambda: run_props(
                _runs_of(queries, view, now_ms, _MOST_RUNS),
                SCRAPER_RUN_COLUMNS,
                span_ms=_span_ms(view, now_ms),
                source=source_of(view.path),
            ),
        ),
        **cut_table_part("scraper-fields", lambda: _field_table(queries, view, now_ms), leads=False),
        **totals_sparks("scraper", series, overview.range, now_ms, one_source=True),
        "scraper-seen-spark": spark_props(series.navigations + series.scrapes, overview.range, now_ms),
        **older_event_content(
            "scraper-events",
            lambda: queries.events(range, _only(view).filter, _MOST_EVENTS),
            span_ms=range.end_ms - range.start_ms,
        ),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Its path names the scraper.
        content: What `numbers` and `charts` returned.
    """
    source = source_of(view.path)
    crumb = html.Span([dcc.Link("Scrapers", href=view.at(_TAB.path).href(), className="crumb"), source])
    errors = error_table("scraper-failures", content, one_source=True)
    slowest = table(
        "scraper-slowest", ONE_SOURCE_COLUMNS, content["scraper-slowest"], min_width_px=640, leading=content
    )
    runs = table("scraper-runs", SCRAPER_RUN_COLUMNS, content["scraper-runs"], min_width_px=1160, leading=content)
    fields = table("scraper-fields", ONE_SOURCE_FIELD_COLUMNS, content["scraper-fields"], min_width_px=960)
    jobs = table("scraper-jobs", RUN_COLUMNS, content["scraper-jobs"], min_width_px=760, leading=content)
    events = event_table("scraper-events", content)
    return frame(
        "scraper",
        crumb,
        view,
        content,
        [
            totals_cards("scraper", view, content, stat_card("scraper-seen", "Last seen (UTC)", content)),
            grid(*cards(CHARTS, view, content)),
            table_card(
                "Errors",
                errors,
                subtitle="By kind of error, most frequent first; a click shows these failures alone",
                wide=True,
                export="scraper-failures",
                view=view,
            ),
            table_card(
                "Slowest pages",
                slowest,
                subtitle=f"The {_MOST_URLS} with the highest mean load time",
                wide=True,
                export="scraper-slowest",
                view=view,
            ),
            table_card(
                "Runs",
                runs,
                subtitle=f"What came with the same run id and what was told of it, the last {_MOST_RUNS}, newest first",
                wide=True,
                export="scraper-runs",
                view=view,
            ),
            table_card(
                "Fields of the items",
                [fields, more_line("scraper-fields-more", content)],
                subtitle=f"Share of items with a usable value, now against {earlier_words(view)}; "
                "what fell most comes first",
                wide=True,
                export="scraper-fields",
                view=view,
            ),
            table_card(
                "Scheduler runs",
                jobs,
                subtitle=f"Jobs that ran for this scraper, the last {_MOST_RUNS}",
                wide=True,
                export="scraper-jobs",
                view=view,
            ),
            table_card(
                "Latest events",
                events,
                subtitle=f"The last {_MOST_EVENTS}, newest first",
                wide=True,
                export="scraper-events",
                view=view,
                content=content,
                all_href=events_of(view),
            ),
        ],
    )


def _nothing(queries: Queries, view: View, now_ms: int) -> dict[str, Any]:
    source = source_of(view.path)
    names = queries.source_names()
    if names and source not in names:
        return no_such_scraper(view, source)
    return no_data(queries, replace(view, sources=()), now_ms=now_ms)


def _span_ms(view: View, now_ms: int) -> int:
    range = view.time_range(now_ms)
    return range.end_ms - range.start_ms


def _whole(view: View) -> Filter:
    """Return the filter without what cuts single steps out of the way from a page to its items."""
    return replace(_only(view).filter, result="all", kind="all", outcomes=(), error="")


def _scheduled(queries: Queries, asked: View, now_ms: int, most: int) -> tuple[SchedulerRunRow, ...]:
    # The filter's source may be the name of a job, too.
    runs = queries.scheduler_runs(asked.time_range(now_ms), asked.filter, most)
    return tuple(run for run in runs if run.source in asked.sources)


def _only(view: View) -> View:
    return replace(view, sources=(source_of(view.path),))


def _state(queries: Queries, asked: View, overview: Overview) -> Content:
    if not overview.sources:
        return stat_state("scraper-seen", NOTHING, "", "flat")
    stats = overview.sources[0]
    state = states_of(queries, overview.range, asked.filter, overview.sources)[stats.source]
    seen = clock(stats.last_seen_ms, span_ms=overview.range.end_ms - overview.range.start_ms)
    return stat_state("scraper-seen", seen, state.status.text, state.mood)


def _navigation(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return duration_chart(queries, _only(view), now_ms, "navigation")


def _scrape(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return duration_chart(queries, _only(view), now_ms, "scrape")


def _results(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range, filter = view.time_range(now_ms, most_buckets=_BAR_BUCKETS), _only(view).filter
    navigations, scrapes = (queries.duration_trend(range, filter, kind) for kind in ("navigation", "scrape"))
    return scraper_infos.results(navigations, scrapes, range)


def _funnel(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range, filter = view.time_range(now_ms), _whole(view)
    navigations, scrapes = (queries.duration_trend(range, filter, kind) for kind in ("navigation", "scrape"))
    return scraper_infos.funnel(
        navigations, scrapes, queries.outcomes(range, filter), queries.scrapes_with_items(range, filter)
    )


def _coverage(queries: Queries, view: View, now_ms: int) -> tuple[FieldCoverage, ...]:
    range = view.time_range(now_ms)
    return queries.field_coverage(range, _only(view).filter, earlier_range(view, range))


def _field_table(queries: Queries, view: View, now_ms: int) -> tuple[dict[str, Any], dict[str, Any]]:
    found = _coverage(queries, view, now_ms)
    more = more_props(min(len(found), MOST_FIELDS), len(found), "fields, which fell less", "the export has them all")
    return field_props(found, ONE_SOURCE_FIELD_COLUMNS), more if found else {"children": no_fields()}


def _fields(queries: Queries, view: View, now_ms: int) -> Rows:
    return field_rows(_coverage(queries, view, now_ms))


def _runs_of(queries: Queries, view: View, now_ms: int, most: int) -> tuple[RunLine, ...]:
    return queries.runs_of_scraper(view.time_range(now_ms), _only(view).filter, most)


def _runs(queries: Queries, view: View, now_ms: int) -> Rows:
    return rows_of(RunLine, _runs_of(queries, view, now_ms, 1_000))


def _jobs(queries: Queries, view: View, now_ms: int) -> Rows:
    columns = tuple(SchedulerRunRow.__dataclass_fields__)
    found = _scheduled(queries, _only(view), now_ms, 10_000)
    return Rows(columns, tuple(tuple(getattr(run, column) for column in columns) for run in found))


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), _only(view).filter))


def _slowest(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(queries.slowest_urls(view.time_range(now_ms), _only(view).filter, "navigation", 1_000))


def _events(queries: Queries, view: View, now_ms: int) -> RowStream:
    return event_export(queries, _only(view), now_ms)


CHARTS: Final = (
    PageChart("scraper-navigation", _navigation, "Mean and percentiles over time", alerts=DURATIONS | FAILURES),
    PageChart("scraper-scrape", _scrape, "Mean and percentiles over time", alerts=DURATIONS | FAILURES),
    PageChart("scraper-results", _results, "What went well, and what failed loading or scraping"),
    PageChart("scraper-funnel", _funnel, "How many are left after each step"),
)
_EXPORTS: Final[dict[str, Export]] = {
    **exports(CHARTS),
    "scraper-runs": _runs,
    "scraper-fields": _fields,
    "scraper-jobs": _jobs,
    "scraper-failures": _errors,
    "scraper-slowest": _slowest,
    "scraper-events": _events,
}

PAGE: Final = Page(
    name="scraper",
    path="/scrapers/",
    title="Scraper",
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=(*leading("scraper-events"), "scraper-slowest", "scraper-runs", "scraper-jobs"),
    exports=MappingProxyType(_EXPORTS),
)
