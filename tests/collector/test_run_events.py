"""What is told about runs and about the collector itself, on the wire."""

import json
from typing import Any

import pytest

from collector.errors import InvalidMetric
from collector.events import event_from_wire, from_wire, to_wire
from collector.report import CollectorReport, report_from_wire, report_to_wire
from collector.run_events import ScraperRun

NOW_MS = 1_702_214_400_000

RUN = ScraperRun("nightly", "r-1", "cnbc", "running", NOW_MS - 5000, NOW_MS, 7, 100, 30_000, None)
REPORT = CollectorReport(
    "c-1", "host", 17, "crawl.py", "0.1.0", "3.11.9", 5, 9, 10, 6, 3, {"queue_full": 1}, 0, 900, 2, None, None, 5.0
)


def run(**changes: Any) -> dict[str, Any]:
    return {**to_wire(RUN), **changes}


def test_a_run_survives_the_wire_unchanged_with_every_key_of_the_contract() -> None:
    wire = json.loads(json.dumps(to_wire(RUN)))
    assert list(wire) == [
        "type",
        "name",
        "runId",
        "scraperSource",
        "state",
        "startedAt",
        "recordedAt",
        "itemsExtracted",
        "expectedItems",
        "heartbeatIntervalMs",
        "error",
    ]
    assert wire["type"] == "run"
    assert event_from_wire(wire, now_ms=NOW_MS) == RUN


def test_a_run_is_no_metric_and_a_metric_is_an_event() -> None:
    with pytest.raises(InvalidMetric, match="type"):
        from_wire(run(), now_ms=NOW_MS)
    scheduler = {"type": "scheduler", "schedulerName": "a", "executionDurationMs": 1}
    assert event_from_wire(scheduler, now_ms=NOW_MS) == from_wire(scheduler, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "n" * 51}, "name"),
        ({"runId": None}, "runId"),
        ({"runId": "  "}, "runId"),
        ({"runId": "r" * 65}, "runId"),
        ({"scraperSource": ""}, "scraperSource"),
        ({"state": "lost"}, "state"),
        ({"state": None}, "state"),
        ({"state": ["ok"]}, "state"),
        ({"startedAt": "now"}, "startedAt"),
        ({"startedAt": NOW_MS + 86_400_001}, "startedAt"),
        ({"recordedAt": 1}, "recordedAt"),
        ({"itemsExtracted": -1}, "itemsExtracted"),
        ({"expectedItems": 1.5}, "expectedItems"),
        ({"heartbeatIntervalMs": 0}, "heartbeatIntervalMs"),
        ({"heartbeatIntervalMs": None}, "heartbeatIntervalMs"),
        ({"heartbeatIntervalMs": 3_600_001}, "heartbeatIntervalMs"),
        ({"error": 5}, "error"),
    ],
)
def test_a_wrong_field_of_a_run_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMetric) as caught:
        event_from_wire(run(**changes), now_ms=NOW_MS)
    assert caught.value.field == field
    assert "must be" in caught.value.message


def test_what_a_run_leaves_out_has_defaults() -> None:
    told = event_from_wire({"type": "run", "name": "n", "runId": "r", "state": "ok"}, now_ms=NOW_MS)
    assert told == ScraperRun("n", "r", None, "ok", NOW_MS, NOW_MS, 0, None, 30_000, None)


def test_a_report_survives_the_wire_unchanged() -> None:
    assert report_from_wire(json.loads(json.dumps(report_to_wire(REPORT)))) == REPORT


def test_a_report_of_a_clock_that_is_years_off_is_read() -> None:
    assert report_from_wire({**report_to_wire(REPORT), "sentAt": 10**15}).sent_at_ms == 10**15


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        {"id": 5},
        {"id": " "},
        {"id": "a" * 65},
        {"host": 1},
        {"pid": "1"},
        {"startedAt": None},
        {"sentAt": "now"},
        {"recorded": -1},
        {"dropped": []},
        {"dropped": {"a": "1"}},
        {"dropped": {str(number): 1 for number in range(40)}},
        {"spoolBytes": 1.5},
        {"lastError": 1},
        {"intervalS": 0},
        {"intervalS": "30"},
    ],
)
def test_a_wrong_report_is_invalid_and_nothing_else(wrong: Any) -> None:
    body = {**report_to_wire(REPORT), **wrong} if wrong else wrong
    with pytest.raises(InvalidMetric, match="collector"):
        report_from_wire(body)
