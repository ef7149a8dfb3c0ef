"""The exact text of CSV files."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest

from charts.csv import iso_time, to_csv
from charts.errors import ExportError
from charts.info import (
    BarInfo,
    ChartInfo,
    HeatmapInfo,
    HistogramInfo,
    Line,
    LineInfo,
    PieInfo,
    Point,
    RadarInfo,
    ScatterInfo,
    Span,
    TimelineInfo,
)
from tests.charts import samples

T = samples.START_MS


def text(info: ChartInfo) -> str:
    raw = to_csv(info)
    assert raw.startswith(b"\xef\xbb\xbf")
    return raw.decode("utf-8-sig")


def test_lines_have_iso_times_units_and_empty_gaps() -> None:
    info = LineInfo(
        "t", "d", np.array([T, T + 1500]), (Line("mean", (1.5, math.nan)), Line("p95", (2.0, None))), "duration", "ms"
    )
    assert text(info) == (
        "time (UTC),mean (ms),p95 (ms)\r\n"
        "2026-11-22T12:00:00.000Z,1.5,2\r\n"
        "2026-11-22T12:00:01.500Z,,\r\n"
    )  # fmt: skip


def test_one_series_of_bars() -> None:
    info = BarInfo("t", "d", ("a", "b"), values=(1, 2.25), unit="%", value_title="success rate")
    assert text(info) == "category,success rate (%)\r\na,1\r\nb,2.25\r\n"


def test_groups_of_bars() -> None:
    info = BarInfo("t", "d", ("none", "1"), groups=(("ok", (4210, 380)), ("failed", (0, None))))
    assert text(info) == "category,ok,failed\r\nnone,4210,0\r\n1,380,\r\n"


def test_shares_come_with_their_percentage() -> None:
    info = PieInfo("t", "d", ("a", "b", "c"), (1, 2, None), "items")
    assert text(info) == "label,value (items),share (%)\r\na,1,33.333\r\nb,2,66.667\r\nc,,\r\n"


def test_scores() -> None:
    info = RadarInfo("t", "d", ("speed", "success"), (("cnbc", (50, 99.5)),))
    assert text(info) == "name,speed,success\r\ncnbc,50,99.5\r\n"


def test_bins() -> None:
    info = HistogramInfo("t", "d", (0, 10, 20.5), (3, 0), "duration", "ms")
    assert text(info) == "from (ms),to (ms),count\r\n0,10,3\r\n10,20.5,0\r\n"


def test_a_grid() -> None:
    info = HeatmapInfo("t", "d", ("00:00", "01:00"), ("Mon",), ((1.5, None),), "ms", "mean duration")
    assert text(info) == "mean duration (ms),00:00,01:00\r\nMon,1.5,\r\n"


def test_points() -> None:
    info = ScatterInfo("t", "d", (Point("cnbc", 10, 2.5, None),), "pages", "items", "duration", size_unit="ms")
    assert text(info) == "name,pages,items,duration (ms)\r\ncnbc,10,2.5,\r\n"


def test_spans() -> None:
    bars = (
        Span("job", T, T + 1000, "done", True),
        Span("job", T, T, "went wrong, twice", False),
        Span("job", T, T, "plan", True, True),
    )
    assert text(TimelineInfo("t", "d", bars)) == (
        "lane,start (UTC),end (UTC),duration (ms),state,label\r\n"
        "job,2026-11-22T12:00:00.000Z,2026-11-22T12:00:01.000Z,1000,ok,done\r\n"
        'job,2026-11-22T12:00:00.000Z,2026-11-22T12:00:00.000Z,0,failed,"went wrong, twice"\r\n'
        "job,2026-11-22T12:00:00.000Z,2026-11-22T12:00:00.000Z,0,planned,plan\r\n"
    )


def test_spans_have_the_names_of_the_chart() -> None:
    bars = (Span("rule", T, T, "a", True), Span("rule", T, T, "b", False))
    states = [line.split(",")[4] for line in text(TimelineInfo("t", "d", bars, None, ("info", "firing"))).splitlines()]
    assert states == ["state", "info", "firing"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_a_spreadsheet_would_run_is_made_harmless(start: str) -> None:
    info = BarInfo("t", "d", (start + "cmd|' /C calc'!A0",), values=(-1,))
    (_, row) = csv.reader(io.StringIO(text(info), newline=""))
    assert row == ["'" + start + "cmd|' /C calc'!A0", "-1"]


def test_a_head_is_made_harmless_too() -> None:
    info = LineInfo("t", "d", (T,), (Line("=1+1", (1,)),), "", "")
    assert text(info).startswith("time (UTC),'=1+1\r\n")


def test_numbers_keep_their_full_precision_and_sign() -> None:
    info = BarInfo("t", "d", ("a", "b", "c", "d"), values=(1 / 3, -5, 1e300, 12345678901234))
    assert text(info).splitlines()[1:] == [f"a,{1 / 3!r}", "b,-5", "c,1e+300", "d,12345678901234"]


def test_any_unicode_survives_and_a_lone_surrogate_does_no_harm() -> None:
    info = BarInfo("t", "d", ("Zürich 東京 🙂", "\ud800"), values=(1, 2))
    assert "Zürich 東京 🙂,1" in text(info)


@pytest.mark.parametrize("make", [samples.gallery, samples.empty, samples.single, samples.awkward])
def test_every_info_has_a_table_of_even_rows(make) -> None:  # type: ignore[no-untyped-def]
    for info in make().values():
        rows = list(csv.reader(io.StringIO(text(info), newline="")))
        assert len({len(row) for row in rows}) == 1


def test_what_is_no_info_has_no_table() -> None:
    with pytest.raises(ExportError):
        to_csv(ChartInfo())


def test_times_are_iso_8601_in_utc() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00.000Z"
    assert iso_time(T + 7) == "2026-11-22T12:00:00.007Z"
