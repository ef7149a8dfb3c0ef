"""Every page's exports in every format, and every page as a report."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pytest

from charts import make_adapter
from charts.base import ChartAdapter
from charts.csv import csv_chunks, sheet_of_info
from charts.info import ChartInfo
from charts.parquet import parquet_chunks
from charts.report import Chart, Report, Table
from charts.report_pdf import report_pdf
from components.content import Content
from components.view import View
from db.store import Store
from pages import PAGES
from pages.page import Page
from tests.pages.conftest import FLEETS
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.test_every_page import path_of
from tests.pages.tree import components_of
from web.router import PageSource

HEALTHY = cast(Store, SimpleNamespace(health=lambda: SimpleNamespace(reachable=True)))
NAMES = [(page, name) for page in PAGES for name in page.exports]


def report_of_page(page: Page, queries: MemoryQueries, adapter: ChartAdapter, search: str = "") -> Report:
    source = PageSource(queries, adapter, HEALTHY, database="")
    return source.report(View.parse(path_of(page), search), NOW_MS)


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request: pytest.FixtureRequest) -> Page:
    page: Page = request.param
    return page


@pytest.mark.parametrize(("page", "name"), NAMES, ids=[name for _, name in NAMES])
def test_every_export_comes_in_every_format_it_has(page: Page, name: str, six: MemoryQueries) -> None:
    adapter = make_adapter("plotly")  # files are drawn alike for every adapter: see the contract of adapters
    exported = page.exports[name](six, View.parse(path_of(page), ""), NOW_MS)
    if isinstance(exported, ChartInfo):
        sheet = sheet_of_info(exported)
        starts = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF"}
        for format, start in starts.items():
            assert adapter.export(exported, format, footer="now").startswith(start)  # type: ignore[arg-type]
    else:
        sheet = exported.sheet()
    lines = list(csv.reader(io.StringIO(b"".join(csv_chunks(sheet)).decode("utf-8-sig"), newline="")))
    assert len(lines[0]) == len(sheet.fields) == len({*lines[0]})
    with duckdb.connect() as database:
        database.execute("CREATE TABLE t AS SELECT 1")
        rows = _parquet_rows(database, b"".join(parquet_chunks(sheet)))
    assert rows == len(lines) - 1


def _parquet_rows(database: Any, data: bytes) -> int:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(data)
        file.flush()
        [(rows,)] = database.execute(f"SELECT count(*) FROM '{file.name}'").fetchall()
    return int(rows)


def tables_in(content: Content) -> list[str]:
    """The ids of plain tables, that is all but the one of errors."""
    return [id for id, props in content.items() if isinstance(props.get("data"), dict) and "head" in props["data"]]


def test_every_table_on_a_page_has_a_menu_whose_links_are_exports(page: Page, six: MemoryQueries) -> None:
    view = View.parse(path_of(page), "")
    content = page.content(six, make_adapter("plotly"), view, NOW_MS)
    links = [str(getattr(one, "href", "") or "") for one in components_of(page.layout(view, content))]
    # The newest and the older events are one table.
    names = [id.removesuffix("-newest").removesuffix("-older") for id in tables_in(content)]
    tables = list(dict.fromkeys(names))
    assert tables or page.name == "events"  # whose table is a grid
    for id in tables:
        for format in ("csv", "parquet"):
            assert any(link.startswith(f"/api/export/{id}.{format}") for link in links), id
            assert id in page.exports


def test_a_report_holds_every_chart_and_every_table_of_its_page(
    page: Page, any_fleet: MemoryQueries, adapter: ChartAdapter
) -> None:
    view = View.parse(path_of(page), "")
    content = page.content(any_fleet, adapter, view, NOW_MS)
    report = report_of_page(page, any_fleet, adapter)
    charts = [block.info.title for block in report.blocks if isinstance(block, Chart)]
    drawn = [props["children"] for id, props in content.items() if id.endswith("-title") and id[:-6] in content]
    assert sorted(charts) == sorted(drawn)
    heads = [block.heads for block in report.blocks if isinstance(block, Table)]
    for id in tables_in(content):
        assert tuple(content[id]["data"]["head"]) in heads
    errors = (content.get(f"{page.name}-{name}", {}).get("children") for name in ("errors", "failures"))
    if any(isinstance(children, list) for children in errors):
        assert any("Failures" in head for head in heads)
    for block in report.blocks:
        if isinstance(block, Table):
            assert block.title
            assert {len(row) for row in block.rows} <= {len(block.heads)}
    values = [stat.value for stat in report.stats]
    assert all(values)
    assert len(values) == sum(
        "stat-value" in str(getattr(one, "className", "")) for one in components_of(page.layout(view, content))
    )


@pytest.mark.parametrize("name", FLEETS)
def test_a_report_of_any_fleet_can_be_printed(page: Page, name: str) -> None:
    from charts import make_adapter

    search = "?from=now-6h&source=%3Cscript%3E&q=x&result=failed" if name == "one" else ""
    report = report_of_page(page, FLEETS[name], make_adapter("plotly"), search)
    assert report_pdf(report).startswith(b"%PDF")


def test_a_report_says_range_and_filters(six: MemoryQueries, adapter: ChartAdapter) -> None:
    report = report_of_page(PAGES[0], six, adapter, "?from=now-6h&source=cnbc&result=failed&q=stocks")
    assert report.range == "Last 6 hours: 21 Nov 2026 16:35 UTC to 21 Nov 2026 22:32 UTC"
    assert report.filters == ("cnbc", "failed only", "URLs with “stocks”")
    assert report.made == "21 Nov 2026 22:32 UTC"


def test_a_report_without_data_says_so(adapter: ChartAdapter) -> None:
    assert (
        "There is no data in this range, with these filters."
        in report_of_page(PAGES[0], MemoryQueries(), adapter).notices
    )
