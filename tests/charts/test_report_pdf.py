"""Reports on paper: their words, pages and pictures."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from charts.drawing import DrawingProcess
from charts.errors import ExportError
from charts.info import ChartInfo
from charts.report import Cell, Chart, Report, Stat, Table
from charts.report_pdf import MOST_ROWS, breakable, report_pdf
from charts.theme import Palette
from tests.charts.samples import gallery

WEIRD = (
    "<script>alert(1)</script>", "🦊" * 50, "W" * 300, "#set page() $x$ `raw` @ref", "\u202eevil", "\u0645\u0631\u062d",
    "日本語", "\ud800", "",
)  # fmt: skip


def words(pdf: bytes) -> list[str]:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages]
    return [" ".join(page.replace("\u200b", "").split()) for page in pages]


def table(rows: int) -> Table:
    return Table(
        "Slowest pages", "All", ("Page", "Mean"), ("clip", "number"),
        tuple((Cell(f"row-{place}", "bad"), Cell(f"{place} ms")) for place in range(rows)),
    )  # fmt: skip


def test_a_report_says_what_range_and_when_and_numbers_its_pages() -> None:
    report = Report(
        title="Navigation", range="Last hour: 21:32 to 22:32 UTC", made="21 Nov 2026 22:32 UTC", filters=("cnbc",),
        notices=("Mind this.",), stats=(Stat("Scrapes", "2,186", "▲ 12 %", "good"),),
        blocks=(*(Chart(info) for info in gallery().values()), table(55)),
    )  # fmt: skip
    pages = words(report_pdf(report, Palette()))
    for said in ("Navigation", "Last hour: 21:32 to 22:32 UTC", "Only: cnbc", "Mind this.", "2,186", "▲ 12 %"):
        assert said in pages[0]
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Scrapeboard · made 21 Nov 2026 22:32 UTC" in page
    assert "row-54 54 ms" in pages[-1]


def test_a_long_table_is_cut_and_says_so() -> None:
    pages = words(report_pdf(Report("a", "b", "c", blocks=(table(2_000),))))
    assert f"The first {MOST_ROWS} of 2,000 rows." in pages[-1]


def test_no_name_breaks_the_paper_or_is_taken_for_markup() -> None:
    weird = Table("t", "s", WEIRD, ("clip",) * len(WEIRD), (tuple(Cell(text) for text in WEIRD),), WEIRD)
    for title in WEIRD:
        report = Report(title, title, title, (title,), (title,), (Stat(title, title, title),), (weird,))
        assert report_pdf(report).startswith(b"%PDF")


def test_a_report_of_nothing_is_a_page() -> None:
    assert len(words(report_pdf(Report("Alerts", "Last hour", "now")))) == 1


@given(st.text(max_size=400))
def test_every_text_is_made_one_that_can_be_set(text: str) -> None:
    made = breakable(text)
    made.encode()
    assert not {"\n", "\r", "\0", "\u202e"} & set(made)
    assert all(len(part) <= 17 for run in made.split() for part in run.split("\u200b"))


def test_pictures_and_reports_come_from_another_process() -> None:
    drawing = DrawingProcess()
    info = next(iter(gallery().values()))
    try:
        svg = drawing.export_chart(info, "svg", palette=Palette(["a"]), theme="dark", footer="now")
        assert svg.startswith(b"<svg")
        first = drawing.pid
        assert drawing.report_pdf(Report("a", "b", "c", blocks=(Chart(info),)), Palette()).startswith(b"%PDF")
        assert drawing.pid == first
    finally:
        drawing.stop()
    assert drawing.pid is None


def test_a_drawing_process_that_ended_is_started_again() -> None:
    drawing = DrawingProcess(idle_s=0.0)  # the child ends as soon as there is nothing to do
    info = next(iter(gallery().values()))
    try:
        for _ in range(2):
            assert drawing.export_chart(info, "svg", palette=None, theme="light", footer=None)
    finally:
        drawing.stop()
    drawing = DrawingProcess()
    try:
        assert drawing.export_chart(info, "svg", palette=None, theme="light", footer=None)
        assert drawing._child is not None
        drawing._child.kill()
        drawing._child.wait()
        assert drawing.export_chart(info, "svg", palette=None, theme="light", footer=None)
    finally:
        drawing.stop()


def test_what_cannot_be_drawn_is_said_and_the_process_goes_on() -> None:
    drawing = DrawingProcess()
    try:
        with pytest.raises(ExportError, match="gif"):
            drawing.export_chart(next(iter(gallery().values())), "gif", palette=None, theme="light", footer=None)
        pid = drawing.pid
        with pytest.raises(ExportError):
            drawing.export_chart(ChartInfo(), "svg", palette=None, theme="light", footer=None)
        assert drawing.pid == pid
    finally:
        drawing.stop()


def test_a_picture_that_takes_too_long_ends_the_process() -> None:
    drawing = DrawingProcess(timeout_s=0.0)
    with pytest.raises(ExportError, match="seconds"):
        drawing.export_chart(next(iter(gallery().values())), "svg", palette=None, theme="light", footer=None)
    assert drawing.pid is None
