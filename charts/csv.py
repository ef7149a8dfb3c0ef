"""CSV files: an info's numbers as Excel and LibreOffice open them right."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
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
from charts.sheet import Field, Sheet, plain, sheet_of

Row = list[Any]

_UTC = " (UTC)"
# A spreadsheet takes a cell that starts like this for a formula and runs it, also behind spaces, and some take the wide
# forms of East Asian keyboards for the same (OWASP, "CSV injection").
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")


def to_csv(info: ChartInfo) -> bytes:
    """Return the numbers of an info as CSV, in the form of `csv_chunks`.

    Raises:
        ExportError: When the info is of a kind that has no table.
    """
    return b"".join(csv_chunks(sheet_of_info(info)))


def sheet_of_info(info: ChartInfo) -> Sheet:
    """Return the numbers of an info as a sheet.

    Args:
        info: What a chart draws.

    Raises:
        ExportError: When the info is of a kind that has no table.
    """
    heads, *rows = _table(info)
    guessed = sheet_of(heads, rows)
    fields = tuple(
        Field(field.name.removesuffix(_UTC), "time") if field.name.endswith(_UTC) else field for field in guessed.fields
    )
    return Sheet(fields, guessed.chunks)


def csv_chunks(sheet: Sheet) -> Iterator[bytes]:
    """Write a sheet as spreadsheets open it right, a chunk of rows at a time.

    UTF-8 with a byte order mark (Excel takes it for something else without; LibreOffice, pandas and DuckDB skip it),
    CRLF, a head line with units, ISO 8601 times in UTC, full precision; gaps are empty cells. Numbers are numbers,
    negative ones too; a text that a spreadsheet would run starts with an apostrophe.

    Args:
        sheet: What to write.

    Yields:
        The file's bytes, the head line first.
    """
    yield codecs.BOM_UTF8 + _lines([[_text(_head(field)) for field in sheet.fields]])
    for rows in sheet.chunks():
        columns = [_column(field, values) for field, values in zip(sheet.fields, zip(*rows, strict=True), strict=True)]
        yield _lines(zip(*columns, strict=True))


def iso_time(moment_ms: int) -> str:
    """Write epoch milliseconds as ISO 8601 in UTC, "2026-11-22T12:00:00.000Z"."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _head(field: Field) -> str:
    return f"{field.name}{_UTC}" if field.kind == "time" else field.name


def _lines(rows: Iterable[Iterable[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _column(field: Field, values: Sequence[object]) -> list[Any]:
    cells = plain(field.kind, values)
    match field.kind:
        case "text":
            return [None if cell is None else _text(cell) for cell in cells]
        case "time":
            return [None if cell is None else iso_time(cell) for cell in cells]
        case "flag":
            return [None if cell is None else str(cell).lower() for cell in cells]
        case "number":
            return [
                int(cell) if cell is not None and cell.is_integer() and abs(cell) < 2**53 else cell for cell in cells
            ]
        case _:
            return list(cells)


def _text(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


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
        yield [int(moment_ms), *(column[place] for column in columns)]


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
        state = "planned" if span.planned else info.names[0 if span.ok else 1]
        yield [
            span.lane,
            span.start_ms,
            span.end_ms,
            span.end_ms - span.start_ms,
            state,
            span.label,
        ]
