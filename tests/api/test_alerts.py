"""`GET /api/alerts` and its badge: what they say of the alerts in the tables, and what they refuse."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from alerts.alert import Alert
from alerts.defaults import DEFAULT_RULES
from alerts.states import AlertState
from alerts.yaml_text import rules_from_yaml
from api.alerts import alerts_blueprint
from components.alert_badge import badge_svg
from db.alert_board import AlertBoard
from db.errors import DatabaseUnavailable
from tests.pages.memory_queries import NOW_MS, MemoryQueries


def alert(rule: str, key: str, standing: Any = "firing") -> Any:
    fired_ms = NOW_MS - 60_000 if standing in ("firing", "recovering") else None
    return Alert(rule, key, AlertState(standing, NOW_MS - 60_000, fired_ms, value=4.0, threshold=10.0)).row()


class Away(MemoryQueries):
    """Queries whose database doesn't answer."""

    def alert_board(self) -> AlertBoard:
        raise DatabaseUnavailable("sqlite:///x", "no route")


def client_of(queries: Any) -> FlaskClient:
    server = Flask(__name__)
    server.register_blueprint(alerts_blueprint(queries, clock_ms=lambda: NOW_MS))
    return server.test_client()


@pytest.fixture
def client() -> FlaskClient:
    queries = MemoryQueries()
    rows = (alert("everything-fails", "cnbc"), alert("low-success", "<b>", "pending"), alert("slow", "cnbc"))
    queries.board = AlertBoard(rows)
    return client_of(queries)


def test_alerts_are_told_with_rule_labels_value_and_since(client: FlaskClient) -> None:
    answer: Any = client.get("/api/alerts").json
    assert answer["counts"] == {"firing": 2, "recovering": 0, "pending": 1, "no_data": 0, "error": 0}
    first = answer["alerts"][0]
    assert (first["rule"], first["key"], first["value"], first["since"]) == (
        "everything-fails", "cnbc", 4.0, NOW_MS - 60_000
    )  # fmt: skip
    assert first["labels"]["source"] == "cnbc"
    assert (first["severity"], first["unit"], first["acknowledged"]) == ("critical", "%", None)


@pytest.mark.parametrize(
    ("search", "rules"),
    [
        ("?state=pending", ["low-success"]),
        ("?severity=critical&severity=info", ["everything-fails", "slow"]),
        ("?match=source=cnbc", ["everything-fails", "slow"]),
        ("?match=source=c*&match=rule!=slow", ["everything-fails"]),
        ("?state=no_data", []),
    ],
)
def test_filters_narrow_the_alerts(client: FlaskClient, search: str, rules: list[str]) -> None:
    answer: Any = client.get(f"/api/alerts{search}").json
    assert [one["rule"] for one in answer["alerts"]] == rules
    assert answer["total"] == len(rules)


@pytest.mark.parametrize("search", ["?state=banana", "?severity=", "?match=x", "?match=a=b" + "&match=a=b" * 20])
def test_a_filter_that_cannot_be_understood_is_refused_with_what_it_takes(client: FlaskClient, search: str) -> None:
    answer = client.get(f"/api/alerts{search}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert "take" in answer.json["error"] or "at most" in answer.json["error"]


def test_ten_thousand_alerts_are_a_thousand_and_a_number() -> None:
    queries = MemoryQueries()
    queries.board = AlertBoard(tuple(alert("low-success", f"s{number}") for number in range(10_000)))
    answer: Any = client_of(queries).get("/api/alerts").json
    assert (len(answer["alerts"]), answer["total"]) == (1_000, 10_000)


def test_the_badge_is_a_picture_of_how_many_fire(client: FlaskClient) -> None:
    answer = client.get("/api/alerts/badge.svg?label=%3Cmine%3E%26%00")
    assert answer.mimetype == "image/svg+xml"
    assert ElementTree.fromstring(answer.text).attrib["aria-label"].endswith(": 2 firing")
    assert "all quiet" in badge_svg("scrapers", 0, 0, critical=False)
    assert "script" not in answer.text


def test_rules_come_as_yaml_that_can_be_imported(client: FlaskClient) -> None:
    assert {rule.id for rule in rules_from_yaml(client.get("/api/alerts/rules.yaml").text)} == {
        rule.id for rule in DEFAULT_RULES
    }


def test_without_a_database_it_says_so() -> None:
    client = client_of(Away())
    assert client.get("/api/alerts").status_code == 503
    assert "unknown" in client.get("/api/alerts/badge.svg").text
