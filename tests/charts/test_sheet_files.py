"""Sheets as CSV and Parquet: what spreadsheets and databases read back."""

from __future__ import annotations

import csv
import io
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charts.csv import csv_chunks, sheet_of_info
from charts.info import LineInfo
from charts.parquet import parquet_chunks
from charts.sheet import Field, Kind, Sheet, is_moment, sheet_of
from tests.charts.samples import awkward, empty, gallery, single

FIELDS = (
    Field("at", "time"), Field("text", "text"), Field("n", "whole"), Field("x", "number"), Field("ok", "flag")
)  # fmt: skip
ALL = {
    f"{kind} {name}": info
    for kind, infos in (("full", gallery()), ("empty", empty()), ("single", single()), ("awkward", awkward()))
    for name, info in infos.items()
}
ROWS: list[tuple[Any, ...]] = [
    (1_795_300_325_123, 'ünïcode 🦊, "quoted"\r\nline', -5, -1.5, True),
    (None, None, None, float("nan"), None),
    (0, "\ud800 lone", 2**53 + 1, 3.0, False),
]


def written(sheet: Sheet) -> str:
    return b"".join(csv_chunks(sheet)).decode("utf-8-sig")


def read_back(sheet: Sheet, path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    path.write_bytes(b"".join(parquet_chunks(sheet)))
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        types = [str(row[1]) for row in database.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
        return types, database.execute(
            'SELECT * REPLACE (epoch_ms("at") AS "at") FROM read_parquet(?)', [str(path)]
        ).fetchall()


def test_csv_has_iso_times_plain_numbers_and_empty_cells() -> None:
    rows = list(csv.reader(io.StringIO(written(Sheet(FIELDS, lambda: [ROWS[:1], ROWS[1:]])), newline="")))
    assert rows == [
        ["at (UTC)", "text", "n", "x", "ok"],
        ["2026-11-21T22:32:05.123Z", 'ünïcode 🦊, "quoted"\r\nline', "-5", "-1.5", "true"],
        ["", "", "", "", ""],
        ["1970-01-01T00:00:00.000Z", "? lone", str(2**53 + 1), "3", "false"],
    ]


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    types, rows = read_back(Sheet(FIELDS, lambda: [ROWS[:1], ROWS[1:]]), tmp_path / "a.parquet")
    assert types == ["TIMESTAMP WITH TIME ZONE", "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN"]
    assert rows == [
        (1_795_300_325_123, 'ünïcode 🦊, "quoted"\r\nline', -5, -1.5, True),
        (None, None, None, None, None),
        (0, "? lone", 2**53 + 1, 3.0, False),
    ]


def test_parquet_of_nothing_still_has_its_columns(tmp_path: Path) -> None:
    types, rows = read_back(Sheet(FIELDS, list), tmp_path / "a.parquet")
    assert types[:2] == ["TIMESTAMP WITH TIME ZONE", "VARCHAR"]
    assert rows == []


starts = st.sampled_from(["", " ", "\t", "\r", "\n", "=", "+", "-", "@", "＝", "＋", "－", "＠", " =", "\u00a0@"])


@given(st.lists(st.tuples(starts, st.text(max_size=20)).map("".join), min_size=1, max_size=8))
def test_no_text_becomes_a_formula_and_none_is_lost(texts: list[str]) -> None:
    sheet = Sheet((Field("text", "text"),), lambda: [[(text,) for text in texts]])
    _, *rows = csv.reader(io.StringIO(written(sheet).replace("\0", ""), newline=""))
    for text, row in zip(texts, rows, strict=True):
        [cell] = row or [""]
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
        assert not cell.startswith(("\t", "\r", "\n"))
        expected = text.encode("utf-8", "replace").decode().replace("\0", "")
        assert cell in (expected, f"'{expected}")


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats()))
def test_numbers_stay_numbers_whatever_their_sign(number: float) -> None:
    kind: Kind = "whole" if isinstance(number, int) else "number"
    [_, row] = csv.reader(io.StringIO(written(Sheet((Field("x", kind), Field("y", "text")), lambda: [[(number, "")]]))))
    assert (float(row[0]) == float(number)) if math.isfinite(number) else row[0] == ""


@pytest.mark.parametrize(
    ("name", "moment"),
    [("last_seen_ms", True), ("recorded_at_ms", True), ("since_ms", True), ("last_run_ms", True), ("start_ms", True),
     ("mean_ms", False), ("p95_ms", False), ("typical_interval_ms", False), ("duration_ms", False), ("items", False)],
)  # fmt: skip
def test_moments_are_told_from_durations_by_name(name: str, moment: bool) -> None:
    assert is_moment(name) is moment


def test_kinds_are_told_from_values_where_nobody_says_them() -> None:
    rows = [(1, 2, True, "a", None, None), (1.5, 3, False, None, None, None)]
    fields = sheet_of(("x", "n", "ok", "text", "mean_ms", "what"), rows).fields
    assert [field.kind for field in fields] == ["number", "whole", "flag", "text", "number", "text"]


@pytest.mark.parametrize("info", ALL.values(), ids=list(ALL))
def test_every_kind_of_chart_is_a_sheet_in_both_forms(info: Any, tmp_path: Path) -> None:
    sheet = sheet_of_info(info)
    path = tmp_path / "chart.parquet"
    path.write_bytes(b"".join(parquet_chunks(sheet)))
    with duckdb.connect() as database:
        found = database.execute(f"SELECT count(*) FROM '{path}'").fetchall()
    assert found == [(len(list(csv.reader(io.StringIO(written(sheet), newline="")))) - 1,)]
    if isinstance(info, LineInfo):
        assert sheet.fields[0] == Field("time", "time")


def endless() -> Iterator[list[tuple[Any, ...]]]:
    while True:
        produced.append(len(produced))
        yield [
            (len(produced), f"{place * 7919 % 10_007} {len(produced)}", place, place / 3, True)
            for place in range(1_000)
        ]


produced: list[int] = []


@pytest.mark.parametrize("write", [csv_chunks, parquet_chunks])
def test_writing_stays_a_bounded_way_ahead_of_who_reads_and_ends_with_it(write: Any) -> None:
    produced.clear()
    chunks = write(Sheet(FIELDS, endless))
    next(chunks)
    next(chunks)
    chunks.close()
    read = len(produced)
    assert read < 600  # of infinitely many
    assert "parquet" not in {thread.name for thread in threading.enumerate()}
    assert len(produced) == read


@pytest.mark.parametrize("write", [csv_chunks, parquet_chunks])
def test_what_goes_wrong_while_rows_are_read_reaches_who_writes(write: Any) -> None:
    def broken() -> Iterator[list[tuple[Any, ...]]]:
        yield ROWS[:1]
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        list(write(Sheet(FIELDS, broken)))
