"""The Alerts tab: what fires comes first, says what it is about, and a flood of alerts stays readable."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import plotly.utils

from alerts.alert import Alert
from alerts.rules import rule_of
from alerts.silences import Acknowledgement, Silence
from alerts.states import AlertState
from charts import make_adapter
from charts.base import ChartAdapter
from charts.info import LineInfo, TimelineInfo
from components.view import View
from db.alert_board import AlertBoard
from db.alert_rows import DeliveryRow, HistoryRow, SettingRow, StateRow
from pages import alerts, navigation
from pages.page import Rows
from tests.pages.invented import fleet
from tests.pages.memory_queries import NOW_MS, MemoryQueries

MINUTE_MS = 60_000
VIEW = View.parse("/alerts", "?from=now-6h")


def state(key: str, standing: str = "firing", *, rule: str = "low-success", value: float = 41.5) -> StateRow:
    fired_ms = NOW_MS - 12 * MINUTE_MS if standing in ("firing", "recovering") else None
    kept = AlertState(standing, NOW_MS - 12 * MINUTE_MS, fired_ms, value=value, threshold=80.0)  # type: ignore[arg-type]
    return Alert(rule, key, kept, {"error": "HTTP 503"}).row()


def queries_of(states: Sequence[StateRow], **settings: tuple[SettingRow, ...]) -> MemoryQueries:
    queries = fleet(["cnbc", "reuters"], hours=0.3)
    queries.board = AlertBoard(tuple(states), **settings)
    return queries


def said(props: Mapping[str, Any]) -> str:
    return json.dumps(props, cls=plotly.utils.PlotlyJSONEncoder, ensure_ascii=False)


def test_what_fires_says_what_who_how_much_and_for_how_long() -> None:
    numbers = alerts.PAGE.numbers(queries_of([state("cnbc")]), VIEW, NOW_MS)
    firing = said(numbers["alerts-firing"])
    for words in ("▲ warning", "Low success rate", "source cnbc", "success rate 41.5 %", "threshold 80 %", "HTTP 503"):
        assert words in firing
    assert "firing for 11 min" in firing or "firing for 12 min" in firing
    assert "/navigation?from=now-1h&source=cnbc" in firing
    assert numbers["alerts-summary"] == {"children": "▲ 1 alert fires.", "className": "summary warn"}


def test_what_is_worst_and_known_to_nobody_comes_first() -> None:
    known = Acknowledgement.model_validate(
        {"rule_id": "low-success", "key": "a", "fired_ms": NOW_MS - 12 * MINUTE_MS, "by": "Ada", "at_ms": NOW_MS}
    )
    rows = [state("a"), state("b"), state("c", rule="everything-fails"), state("d", "pending")]
    queries = queries_of(rows, silences=(SettingRow("k", known.document()),))
    firing = said(alerts.PAGE.numbers(queries, VIEW, NOW_MS)["alerts-firing"])
    assert firing.index("source c") < firing.index("source b") < firing.index("source a")
    assert "✓ acknowledged by Ada" in firing
    assert "source d" in said(alerts.PAGE.numbers(queries, VIEW, NOW_MS)["alerts-pending"])


def test_a_silenced_alert_says_by_whom_and_until_when() -> None:
    silence = Silence.model_validate(
        {
            "id": "s",
            "by": "Bob",
            "comment": "they know",
            "only": ("rule=low-success", "key=cnbc"),
            "ends_ms": NOW_MS + 60 * MINUTE_MS,
        }
    )
    queries = queries_of([state("cnbc")], silences=(SettingRow("s", silence.document()),))
    numbers = alerts.PAGE.numbers(queries, VIEW, NOW_MS)
    assert "◌ silenced until" in said(numbers["alerts-firing"])
    assert "Unsnooze" in said(numbers["alerts-firing"])
    assert "they know" in said(numbers["alerts-silences"])
    assert "1 of them acknowledged or silenced" in numbers["alerts-summary"]["children"]


def test_ten_thousand_alerts_are_a_hundred_and_a_number() -> None:
    queries = queries_of([state(f"source-{number}") for number in range(10_000)])
    firing = alerts.PAGE.numbers(queries, VIEW, NOW_MS)["alerts-firing"]["children"]
    assert len(firing) == 101
    assert "and 9,900 more" in said(firing[-1])
    rows = alerts.PAGE.exports["alerts-firing"](queries, VIEW, NOW_MS)
    assert isinstance(rows, Rows)
    assert len(rows.rows) == 10_000


def test_rules_with_alerts_come_before_quiet_ones() -> None:
    numbers = alerts.PAGE.numbers(queries_of([state("cnbc")]), VIEW, NOW_MS)
    quiet = said(numbers["alerts-rules"])
    assert quiet.index("Low success rate") < quiet.index("1 alert now") < quiet.index("Everything fails")
    assert "success rate below 10 % over 5 min, for 1 min" in quiet


def test_a_setting_that_cannot_be_read_is_told_and_the_rest_goes_on() -> None:
    queries = queries_of([state("cnbc")], rules=(SettingRow("mine", {"name": "Mine", "what": "nonsense"}),))
    numbers = alerts.PAGE.numbers(queries, VIEW, NOW_MS)
    assert "rule Mine" in said(numbers["alerts-problems"])
    assert "source cnbc" in said(numbers["alerts-firing"])


def test_history_is_told_with_a_deleted_rule_by_its_id_and_drawn_from_its_spans(adapter: ChartAdapter) -> None:
    queries = queries_of([state("cnbc")])
    gone = {"value": 3.0, "threshold": 5.0, "severity": "critical", "name": "Gone", "lasted_ms": 30 * MINUTE_MS}
    queries.happened = (
        HistoryRow(NOW_MS - 90 * MINUTE_MS, "gone", "x", "firing", gone, 1),
        HistoryRow(NOW_MS - 60 * MINUTE_MS, "gone", "x", "resolved", gone, 2),
        HistoryRow(NOW_MS - 12 * MINUTE_MS, "low-success", "cnbc", "firing", {"value": 41.5}, 3),
        HistoryRow(NOW_MS - 12 * MINUTE_MS, "low-success", "", "notified", {"firing": [{}], "channels": ["ops"]}, 4),
    )
    content = alerts.PAGE.content(queries, adapter, VIEW, NOW_MS)
    body = content["alerts-history"]["data"]["body"]
    assert [row[4] for row in body] == ["Low success rate", "Low success rate", "gone", "gone"]
    assert "to ops" in body[0]
    info = alerts.PAGE.exports["alerts-timeline"](queries, VIEW, NOW_MS)
    assert isinstance(info, TimelineInfo)
    assert [(bar.lane, bar.end_ms - bar.start_ms) for bar in info.bars][1] == ("Gone · x", 30 * MINUTE_MS)
    assert info.description == "2 alerts fired, 1 of them still."
    assert alerts.PAGE.layout(VIEW, content) is not None


def test_each_alert_has_a_sparkline_with_its_threshold() -> None:
    queries = queries_of([state("cnbc"), state("nightly", rule="job-failed")])
    style = alerts.PAGE.charts(queries, make_adapter("plotly"), VIEW, NOW_MS)["alerts-sparks"]["style"]
    (shape,) = [value for name, value in style.items() if name.startswith("--spark-")]
    assert shape.startswith("polygon(0 100%")
    assert [name for name in style if name.startswith("--line-")]


def test_a_channel_shows_how_its_last_notification_went_and_what_was_given_up() -> None:
    channels = (SettingRow("ops", {"name": "Ops"}, has_secret=True), SettingRow("old", {"name": "Old"}))
    queries = queries_of([state("cnbc")], channels=channels)
    queries.deliveries = (
        DeliveryRow(NOW_MS - 9_000, "ops", "low-success", "g", "firing", {}, "sent", 1, 0, NOW_MS - 8_000, None, 1),
        DeliveryRow(NOW_MS, "ops", "low-success", "g", "firing", {}, "dead", 9, 0, None, "it answered 500", 2),
    )
    numbers = alerts.PAGE.numbers(queries, VIEW, NOW_MS)
    assert "it answered 500" in said(numbers["alerts-channels"])
    assert "has no address" in said(numbers["alerts-channels"])
    assert "Low success rate → Ops" in said(numbers["alerts-dead"])


def test_a_rule_of_ones_own_takes_the_place_of_a_default_one() -> None:
    mine = rule_of({"id": "low-success", "name": "Mine", "what": "success_rate", "threshold": 95, "enabled": False})
    queries = queries_of([], rules=(SettingRow(mine.id, mine.document()),))
    quiet = said(alerts.PAGE.numbers(queries, VIEW, NOW_MS)["alerts-rules"])
    assert "Mine" in quiet
    assert "switched off" in quiet
    assert "Low success rate" not in quiet


def test_alerts_are_marked_on_the_charts_that_they_concern_and_on_no_others(adapter: ChartAdapter) -> None:
    queries = queries_of([state("cnbc"), state("cnbc", rule="slow"), state("elsewhere", rule="slow")])
    queries.happened = tuple(
        HistoryRow(NOW_MS - 20 * MINUTE_MS, "slow", "reuters", what, {"lasted_ms": 2 * MINUTE_MS, "severity": "info"})
        for what in ("firing", "resolved")
    )
    whole = navigation.PAGE.exports["navigation-duration"](queries, View.parse("/navigation", "?from=now-1h"), NOW_MS)
    assert isinstance(whole, LineInfo)
    assert [(band.start_ms - NOW_MS) // MINUTE_MS for band in whole.bands] == [-22, -12]
    assert whole.description.endswith("2 times at which alerts fired are marked.")
    narrow = View.parse("/navigation", "?from=now-1h&source=reuters")
    info = navigation.PAGE.exports["navigation-duration"](queries, narrow, NOW_MS)
    assert isinstance(info, LineInfo)
    assert len(info.bands) == 1
    failures = alerts.PAGE.exports["alerts-errors"](queries, VIEW, NOW_MS)
    assert isinstance(failures, LineInfo)
    assert [band.label for band in failures.bands] in ([], ["Low success rate: cnbc"])
    assert adapter.draw(whole).spec != adapter.draw(replace(whole, bands=())).spec
