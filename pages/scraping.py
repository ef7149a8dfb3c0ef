"""The Scraping tab: how long extraction takes, what it yields, and how it ends."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

from dash.development.base_component import Component

from charts.base import ChartAdapter
from charts.info import ChartInfo
from components import infos, tab_infos
from components.alert_bands import DURATIONS, FAILURES, ITEMS
from components.compare import earlier_range, earlier_words
from components.content import Content
from components.empty import no_data
from components.error_table import error_content, error_table
from components.field_table import FIELD_COLUMNS, MOST_FIELDS, field_props, no_fields
from components.frame import frame, frame_content, grid
from components.more import more_line, more_props
from components.nav import tab
from components.tables import table, table_card
from components.trends import duration_chart
from components.trouble import cut_table_part, has_rows, table_part
from components.url_table import WORST_COLUMNS, url_props
from components.view import View
from db.field_coverage import FieldCoverage
from db.queries import Queries
from pages.chart import PageChart, cards, drawn, exports
from pages.page import Page, Rows, error_rows, field_rows, url_rows

_TAB: Final = tab("scraping")
_MOST_URLS: Final = 20


def numbers(queries: Queries, view: View, now_ms: int) -> Content:
    """Return nothing: what stands here changes once a second at most.

    Args:
        queries: Who answers.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    del queries, view, now_ms
    return {}


def charts(queries: Queries, adapter: ChartAdapter, view: View, now_ms: int) -> Content:
    """Return the charts, and the tables of bad pages, of errors and of fields: of ranks nobody reads ten a second.

    Args:
        queries: Who answers.
        adapter: Who draws.
        view: Range and filters.
        now_ms: The moment, epoch milliseconds.
    """
    range = view.time_range(now_ms)
    span_ms = range.end_ms - range.start_ms

    def worst() -> dict[str, Any]:
        return url_props(
            queries.worst_urls(range, view.filter, "scrape", _MOST_URLS), WORST_COLUMNS, kind="scrape", span_ms=span_ms
        )

    adapter.know_sources(queries.source_names())
    worst_pages = table_part("scraping-worst", worst)
    empty = None if has_rows(worst_pages) else no_data(queries, view, "No scrape", now_ms=now_ms)
    return {
        **frame_content("scraping", view, now_ms, empty),
        **worst_pages,
        **error_content(
            "scraping-errors",
            lambda: queries.errors_by_kind(range, view.filter, "scrape"),
            view,
            span_ms=span_ms,
        ),
        **drawn(CHARTS, queries, adapter, view, now_ms),
        **cut_table_part("scraping-fields", lambda: _field_table(queries, view, now_ms), leads=False),
    }


def layout(view: View, content: Content) -> Component:
    """Build the page.

    Args:
        view: Range and filters.
        content: What `numbers` and `charts` returned.
    """
    worst = table("scraping-worst", WORST_COLUMNS, content["scraping-worst"], min_width_px=900, leading=content)
    fields = table("scraping-fields", FIELD_COLUMNS, content["scraping-fields"], min_width_px=1080)
    return frame(
        "scraping",
        _TAB.title,
        view,
        content,
        [
            grid(*cards(CHARTS, view, content)),
            table_card(
                "Errors",
                error_table("scraping-errors", content),
                subtitle="By kind of error, most frequent first; a click shows these failures alone",
                wide=True,
                export="scraping-errors",
                view=view,
            ),
            table_card(
                "Fields that go missing",
                [fields, more_line("scraping-fields-more", content)],
                subtitle=f"Share of items with a usable value, now against {earlier_words(view)}; "
                "what fell most comes first",
                wide=True,
                export="scraping-fields",
                view=view,
            ),
            table_card(
                "Worst pages",
                worst,
                subtitle="Failures, each weighed by the page’s share of failures; then the slowest",
                wide=True,
                export="scraping-worst",
                view=view,
            ),
        ],
    )


def _trend(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return duration_chart(queries, view, now_ms, "scrape")


def _items(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.items_by_source(queries.sources(view.time_range(now_ms), view.filter))


def _outcomes(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.outcome_split(queries.outcomes(view.time_range(now_ms), view.filter))


def _growth(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return tab_infos.items_over_time(queries.items_by_source(range, view.filter), range, now_ms=now_ms)


def _endings(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return tab_infos.outcomes_over_time(queries.outcome_series(range, view.filter), range, now_ms=now_ms)


def _yield(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return tab_infos.items_per_scrape(queries.yields(range, view.filter), range)


def _nothing(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return tab_infos.empty_handed(queries.yields(range, view.filter), range)


def _size(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    range = view.coarse_range(now_ms)
    return tab_infos.data_size(queries.yields(range, view.filter), range)


def _usable(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return infos.usable_success(queries.usable_success(view.time_range(now_ms), view.filter))


def _coverage(queries: Queries, view: View, now_ms: int) -> tuple[FieldCoverage, ...]:
    range = view.time_range(now_ms)
    return queries.field_coverage(range, view.filter, earlier_range(view, range))


def _coverage_lines(queries: Queries, view: View, now_ms: int) -> ChartInfo:
    return tab_infos.coverage_over_time(_coverage(queries, view, now_ms), view.time_range(now_ms))


def _field_table(queries: Queries, view: View, now_ms: int) -> tuple[dict[str, Any], dict[str, Any]]:
    found = _coverage(queries, view, now_ms)
    more = more_props(min(len(found), MOST_FIELDS), len(found), "fields, which fell less", "the export has them all")
    return field_props(found), more if found else {"children": no_fields()}


def _fields(queries: Queries, view: View, now_ms: int) -> Rows:
    return field_rows(_coverage(queries, view, now_ms))


def _worst(queries: Queries, view: View, now_ms: int) -> Rows:
    return url_rows(queries.worst_urls(view.time_range(now_ms), view.filter, "scrape", 1_000))


def _errors(queries: Queries, view: View, now_ms: int) -> Rows:
    return error_rows(queries.errors_by_kind(view.time_range(now_ms), view.filter, "scrape"))


CHARTS: Final = (
    PageChart("scraping-duration", _trend, "Mean and percentiles over time", alerts=DURATIONS),
    PageChart("scraping-growth", _growth, "Per minute and source, stacked", alerts=ITEMS),
    PageChart("scraping-outcomes", _outcomes, "How scrapes ended"),
    PageChart("scraping-usable", _usable, "Scrapes that ended ok: a page that answers with a challenge is no success"),
    PageChart("scraping-endings", _endings, "Scrapes per minute, stacked", alerts=FAILURES),
    PageChart("scraping-yield", _yield, "All scrapes, failed ones too", alerts=ITEMS),
    PageChart("scraping-nothing", _nothing, "Share of the scrapes that went well", alerts=ITEMS),
    PageChart("scraping-size", _size, "Mean of the scrapes that tell a size"),
    PageChart("scraping-items", _items, "What scrapes brought home"),
    PageChart("scraping-coverage", _coverage_lines, "Share of items with a usable value, of the fields that fell most"),
)

PAGE: Final = Page(
    name=_TAB.name,
    path=_TAB.path,
    title=_TAB.title,
    icon=_TAB.icon,
    layout=layout,
    numbers=numbers,
    charts=charts,
    leading=("scraping-worst",),
    exports=MappingProxyType(
        {**exports(CHARTS), "scraping-worst": _worst, "scraping-errors": _errors, "scraping-fields": _fields}
    ),
)
