"""The table of latest events: what a row says."""

from __future__ import annotations

from dataclasses import replace

from components.event_table import EVENT_COLUMNS, event_rows, event_status
from components.tables import FAILED, OK, Status, table_props
from db.results import Event

EVENT = Event(
    id="p:1",
    kind="navigation",
    source="cnbc",
    url="https://www.cnbc.com/x",
    duration_ms=150.0,
    items=None,
    retry_count=0,
    success=True,
    error=None,
    status_code=200,
    outcome=None,
    recorded_at_ms=1_700_000_000_000,
)


def test_an_event_becomes_a_row() -> None:
    row = event_rows([EVENT], span_ms=0)[0]
    assert row == ["22:13:20", "cnbc", "navigation", OK, "150\u00a0ms", "–", "www.cnbc.com/x", ""]
    assert len(row) == len(EVENT_COLUMNS)


def test_an_events_status_tells_what_went_wrong() -> None:
    failed = replace(EVENT, success=False)
    assert event_status(EVENT) == OK
    assert event_status(replace(EVENT, retry_count=1)) == Status("warn", "✓ ok, 1 retry")
    assert event_status(replace(EVENT, retry_count=2)).text == "✓ ok, 2 retries"
    assert event_status(replace(failed, status_code=503)) == Status("bad", "✕ 503")
    assert event_status(replace(failed, status_code=None)) == FAILED
    assert event_status(replace(failed, kind="scrape", outcome="blocked")) == Status("bad", "✕ blocked")
    assert event_status(replace(failed, kind="scheduler", status_code=None)) == FAILED


def test_markup_in_a_name_stays_text() -> None:
    row = event_rows([replace(EVENT, source="<script>alert(1)</script>")], span_ms=0)[0]
    assert row[1] == "<script>alert(1)</script>"
    assert all(isinstance(cell, str) for cell in table_props(EVENT_COLUMNS, [row])["data"]["body"][0])
