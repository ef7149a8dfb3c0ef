"""Scrapers, one scraper, scheduler: what their tables and links say, and how they stay readable with very many."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import plotly.utils
import pytest

from charts import make_adapter
from charts.info import LineInfo
from components.timerange import DAY_MS, MINUTE_MS
from components.view import View
from db.alert_board import AlertBoard
from db.alert_rows import SettingRow
from db.results import SchedulerRunRow
from pages import scheduler, scraper, scrapers
from pages.page import Rows
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.test_other_tabs import FAILED_RUN, body
from tests.pages.test_overview import event


def text_of(tree: Any) -> str:
    return json.dumps(tree, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


def job(name: str, ages_min: list[float], **changes: Any) -> list[SchedulerRunRow]:
    run = replace(FAILED_RUN, scheduler_name=name, success=True, error=None, **changes)
    return [
        replace(run, id=f"s:{name}{number}", recorded_at_ms=NOW_MS - round(age * MINUTE_MS))
        for number, age in enumerate(ages_min)
    ]


@pytest.mark.parametrize(
    ("metric", "title", "unit"),
    [
        ("", "p95 duration by source", "ms"),
        ("mean", "Mean duration by source", "ms"),
        ("success", "Success rate by source", "%"),
        ("volume", "Volume by source", "/min"),
        ("items", "Items by source", "/min"),
        ("errors", "Errors by source", "/min"),
    ],
)
def test_the_link_says_what_sources_are_compared_by(six: MemoryQueries, metric: str, title: str, unit: str) -> None:
    view = View.parse("/scrapers", f"?metric={metric}" if metric else "")
    info = scrapers.PAGE.exports["scrapers-comparison"](six, view, NOW_MS)
    assert isinstance(info, LineInfo)
    assert (info.title, info.y_unit, len(info.lines)) == (title, unit, 6)
    shown = text_of(scrapers.PAGE.layout(view, scrapers.PAGE.content(six, make_adapter("plotly"), view, NOW_MS)))
    assert shown.count("chip-chosen") == 1
    assert '"/scrapers?metric=errors"' in shown


def test_two_thousand_sources_are_a_hundred_rows_and_a_line_that_says_so() -> None:
    events = [event(f"s{number:04}", number % 800) for number in range(2_000)]
    queries = MemoryQueries([*events, *(event("busy", age) for age in range(9))])
    numbers = scrapers.PAGE.numbers(queries, View.parse("/scrapers", ""), NOW_MS)
    rows = numbers["scrapers-table"]["data"]["body"]
    assert len(rows) == 100 == len(numbers["scrapers-links"]["children"])
    assert rows[0][0] == "busy"
    assert numbers["scrapers-more"]["children"] == "and 1,901 more scrapers, less busy: find them with the filter."
    exported = scrapers.PAGE.exports["scrapers-table"](queries, View(), NOW_MS)
    assert isinstance(exported, Rows)
    assert len(exported.rows) == 2_001


def test_next_runs_are_told_overdue_first_and_unknown_last() -> None:
    runs = [
        *job("steady", [4, 14, 24, 34, 44, 54]),
        *job("gone", [65, 75, 85, 95, 105, 115]),
        *job("left", [3_000 + 10 * number for number in range(6)]),
        *job("new", [5, 10]),
        *job("wild", [1, 2, 30, 31, 90, 200, 205, 300]),
    ]
    rows = body(scheduler, "scheduler-next", MemoryQueries(runs=runs), "?from=now-7d")
    told = {row[0]: (row[1] or row[2] or row[3], *row[4:]) for row in rows}
    assert list(told) == ["gone", "steady", "left", "new", "wild"]
    # The clock is looked at once a minute: it is 22:32:00.
    assert told["steady"] == (
        "✓ on time", "21 Nov 22:38:03", "6\u00a0min", "10\u00a0min", "2.00\u00a0s", "its last 6 runs"
    )  # fmt: skip
    assert told["gone"][:3] == ("▲ overdue", "21 Nov 21:37:03", "since 55\u00a0min")
    assert told["left"][0] == "◌ stopped"
    assert told["new"][-1] == "its 2 runs: too few to tell"
    assert told["wild"][0] == "? not known"
    assert told["wild"][-1] == "its last 8 runs: no regular interval"


def test_late_and_missed_runs_are_listed_and_exported() -> None:
    queries = MemoryQueries(runs=job("steady", [4, 14, 24, 34, 54, 64, 77, 87, 97, 107, 117, 127]))
    rows = body(scheduler, "scheduler-slips", queries, "?from=now-6h")
    assert [[cell for cell in row if cell] for row in rows] == [
        ["○ missed", "steady", "21:48:03", "1 run"],
        ["◷ late", "steady", "21:25:03", "3\u00a0min late"],
    ]
    exported = scheduler.PAGE.exports["scheduler-slips"](queries, View.parse("/scheduler", "?from=now-6h"), NOW_MS)
    assert isinstance(exported, Rows)
    assert [row[:2] for row in exported.rows] == [("steady", "missed"), ("steady", "late")]


def test_a_declared_schedule_counts_for_late_missed_and_next_runs() -> None:
    starts = [4.0, 14, 24, 34, 54, 64, 77, 87, 97, 107, 117, 127]
    queries = MemoryQueries(runs=job("steady", starts, source="shop"))
    plan = SettingRow("steady", {"cron": "27 * * * *", "timezone": "Europe/Berlin"}, NOW_MS - 7 * DAY_MS, "me")
    never = SettingRow("never", {"interval": "1h"}, NOW_MS - 120 * MINUTE_MS, "me")
    queries.board = AlertBoard(schedules=(plan, never))
    told = {
        row[0]: [cell for cell in row if cell] for row in body(scheduler, "scheduler-next", queries, "?from=now-3h")
    }
    assert list(told) == ["never", "steady"]
    assert told["steady"][-1] == "declared: 27 * * * * (Europe/Berlin)"
    assert told["never"][-1] == "declared: every 1 h"
    rows = body(scheduler, "scheduler-slips", queries, "?from=now-3h")
    assert ["never" in row for row in rows].count(True) == 1
    exported = scheduler.PAGE.exports["scheduler-next"](queries, View.parse("/scheduler", "?from=now-3h"), NOW_MS)
    assert isinstance(exported, Rows)
    assert [row[exported.columns.index("declared")] for row in exported.rows] == [
        "every 1 h", "27 * * * * (Europe/Berlin)",
    ]  # fmt: skip
    # What was declared later than a range ends doesn't count in it.
    rows = body(scheduler, "scheduler-next", queries, f"?from={NOW_MS - DAY_MS}&to={NOW_MS - 130 * MINUTE_MS}")
    assert "never" not in [row[0] for row in rows]
    # Who looks at one scraper's jobs isn't told of those that never ran for it.
    rows = body(scheduler, "scheduler-next", queries, "?from=now-3h&source=shop")
    assert [row[0] for row in rows] == ["steady"]


def test_looking_at_failures_only_makes_nobody_late() -> None:
    queries = MemoryQueries(runs=job("steady", [4, 14, 24, 34, 44, 54]))
    assert body(scheduler, "scheduler-slips", queries, "?from=now-6h&result=failed") == []


def test_five_hundred_jobs_are_a_hundred_rows() -> None:
    runs = [run for number in range(500) for run in job(f"job{number:03}", [4, 9])]
    numbers = scheduler.PAGE.numbers(MemoryQueries(runs=runs), View.parse("/scheduler", ""), NOW_MS)
    for name in ("scheduler-jobs", "scheduler-next"):
        assert len(numbers[name]["data"]["body"]) == 100
        assert numbers[f"{name}-more"]["children"] == "and 400 more jobs: choose some with the filter."


def test_a_scrapers_runs_are_put_together_and_jobs_that_ran_for_it_are_listed() -> None:
    queries = MemoryQueries(
        [event("cnbc", age, kind="scrape" if age % 2 else "navigation", items=age % 2 or None) for age in range(1, 9)],
        [*job("crawl", [1], source="cnbc"), *job("other", [1], source="reuters"), *job("cnbc", [2])],
    )
    queries.run_ids = {"p:1": "r2", "p:2": "r2", "p:5": "r1", "p:6": "r1", "p:7": "r1"}
    view = View.parse("/scrapers/cnbc", "")
    content = scraper.PAGE.content(queries, make_adapter("plotly"), view, NOW_MS)
    rows = content["scraper-runs"]["data"]["body"]
    assert [(row[0], *row[7:]) for row in rows] == [
        ("r2", "1", "1", "1", "–", "100\u00a0%", "0"),
        ("r1", "1", "2", "2", "–", "100\u00a0%", "0"),
    ]
    assert [row[1] for row in content["scraper-jobs"]["data"]["body"]] == ["crawl"]


def test_a_page_looks_at_the_clock_at_least_once_a_minute() -> None:
    assert scheduler.PAGE.period_ms == MINUTE_MS
    assert scrapers.PAGE.period_ms is None
