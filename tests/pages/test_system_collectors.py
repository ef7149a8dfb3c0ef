"""The System page with its section of collectors, and its export as a file."""

from __future__ import annotations

import csv
import io
import json

from charts import make_adapter
from charts.csv import csv_chunks
from charts.parquet import parquet_chunks
from components.view import View
from db.collectors import line_of
from pages import SYSTEM
from pages.page import Rows
from tests.db.samples import NOON_MS, report
from tests.pages.memory_queries import MemoryQueries
from tests.pages.tree import components_of

VIEW = View.parse("/system", "")


def queries() -> MemoryQueries:
    made = MemoryQueries()
    made.known_collectors = tuple(line_of(report(f"c{n}", last_error="näh, 🕸"), NOON_MS, "http") for n in range(3))
    return made


def test_collectors_stand_on_the_page_and_everything_that_moves_has_its_place() -> None:
    content = SYSTEM.content(queries(), make_adapter("plotly"), VIEW, NOON_MS + 1_000)
    placed = {getattr(one, "id", None) for one in components_of(SYSTEM.layout(VIEW, content))}
    assert set(content) <= placed
    assert len(content["system-collectors"]["data"]["body"]) == 3


def test_export_holds_every_collector_with_what_it_dropped() -> None:
    exported = SYSTEM.exports["system-collectors"](queries(), VIEW, NOON_MS)
    assert isinstance(exported, Rows)
    sheet = exported.sheet()
    text = b"".join(csv_chunks(sheet)).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["collector_id"] for row in rows] == ["c0", "c1", "c2"]
    assert json.loads(rows[0]["dropped"]) == {"queue_full": 3}
    assert rows[0]["last_error"] == "näh, 🕸"
    assert b"".join(parquet_chunks(sheet)).startswith(b"PAR1")
