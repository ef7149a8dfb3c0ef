"""CSV files: an info's numbers as Excel and LibreOffice open them right."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from charts.arrays import as_floats
from charts.errors import ExportError
from charts.info import (
    BarInfo,
    ChartInfo,
    HeatmapInfo,
    HistogramInfo,
    LineInfo,
    PieInfo,
    RadarInfo,
    ScatterInfo,
    TimelineInfo,
)

Row = list[Any]

# A spreadsheet takes a cell that starts like this for a formula and runs it (OWASP, "CSV injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv(info: ChartInfo) -> bytes:
    """Return the numbers of an info as CSV.

    UTF-8 with a byte order mark (Excel takes it for something else without), CRLF, a head line with units, ISO 8601
    times in UTC, full precision; gaps are empty cells; a text that a spreadsheet would run starts with an apostrophe.

    Raises:
        ExportError: When the info is of a kind that has no table.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in _table(info):
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8-sig", "replace")


def table_csv(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """Return a table as CSV, in the same form as `to_csv`.

    Args:
        columns: c names, with units.
        rows: Rows of c values.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode("utf-8-sig", "replace")


def iso_time(moment_ms: int) -> str:
    """Write epoch milliseconds as ISO 8601 in UTC, "2026-11-22T12:00:00.000Z"."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA_STARTS) else value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _table(info: ChartInfo) -> Iterable[Row]:
    match info:
        case LineInfo():
            return _line_table(info)
        case BarInfo():
            return _bar_table(info)
        case PieInfo():
            return _pie_table(info)
        case RadarInfo():
            return _radar_table(info)
        case HistogramInfo():
            return _histogram_table(info)
        case HeatmapInfo():
            return _heatmap_table(info)
        case ScatterInfo():
            return _scatter_table(info)
        case TimelineInfo():
            return _timeline_table(info)
        case _:
            raise ExportError("csv", f"{type(info).__name__} is no chart info; see charts/info.py for those there are")


def _headed(name: str, unit: str) -> str:
    return f"{name} ({unit})" if unit and name else name or unit or "value"


def _line_table(info: LineInfo) -> Iterable[Row]:
    yield ["time (UTC)", *(_headed(line.name, info.y_unit) for line in info.lines)]
    columns = [as_floats(line.y).tolist() for line in info.lines]
    for place, moment_ms in enumerate(info.x_ms):
        yield [iso_time(int(moment_ms)), *(column[place] for column in columns)]


def _bar_table(info: BarInfo) -> Iterable[Row]:
    yield ["category", *(_headed(name, info.unit) for name, _ in info.series())]
    columns = [as_floats(values).tolist() for _, values in info.series()]
    for place, category in enumerate(info.categories):
        yield [category, *(column[place] for column in columns)]


def _pie_table(info: PieInfo) -> Iterable[Row]:
    yield ["label", _headed("value", info.unit), "share (%)"]
    values = as_floats(info.values).tolist()
    total = math.fsum(value for value in values if value > 0)
    for label, value in zip(info.labels, values, strict=True):
        yield [label, value, round(value / total * 100, 3) if total > 0 and value > 0 else None]


def _radar_table(info: RadarInfo) -> Iterable[Row]:
    yield ["name", *info.axes]
    for name, values in info.shapes:
        yield [name, *as_floats(values).tolist()]


def _histogram_table(info: HistogramInfo) -> Iterable[Row]:
    yield [_headed("from", info.unit), _headed("to", info.unit), "count"]
    edges = as_floats(info.edges).tolist()
    for place, count in enumerate(as_floats(info.counts).tolist()):
        yield [edges[place], edges[place + 1], count]


def _heatmap_table(info: HeatmapInfo) -> Iterable[Row]:
    yield [_headed(info.value_title, info.unit), *info.x_labels]
    for label, values in zip(info.y_labels, info.values, strict=True):
        yield [label, *as_floats(values).tolist()]


def _scatter_table(info: ScatterInfo) -> Iterable[Row]:
    heads = [_headed(info.x_title or "x", info.x_unit), _headed(info.y_title or "y", info.y_unit)]
    yield ["name", *heads, _headed(info.size_title or "size", info.size_unit)]
    for point in info.points:
        yield [point.name, float(point.x), float(point.y), None if point.size is None else float(point.size)]


def _timeline_table(info: TimelineInfo) -> Iterable[Row]:
    yield ["lane", "start (UTC)", "end (UTC)", "duration (ms)", "state", "label"]
    for span in info.bars:
        state = "planned" if span.planned else "ok" if span.ok else "failed"
        yield [
            span.lane,
            iso_time(span.start_ms),
            iso_time(span.end_ms),
            span.end_ms - span.start_ms,
            state,
            span.label,
        ]
