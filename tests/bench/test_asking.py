"""What the storage bench makes of its times: which goals are missed, and what grows with the rows."""

from __future__ import annotations

from typing import Any

from bench.storage.asking import Cell, as_report, flatness, misses, pooled
from bench.storage.times import spread


def measured(cold_ms: float, tick_ms: float) -> dict[Cell, dict[str, Any]]:
    return {
        ("24h", "no_filter", "overview"): {"cold": spread([cold_ms]), "tick": spread([tick_ms], [tick_ms / 2])},
        ("7d", "no_filter", "overview"): {"not_measured": "24h took 2,000 ms already"},
    }


def test_flatness_is_the_bigger_size_divided_by_the_smaller() -> None:
    ratios = flatness(as_report(measured(10, 2)), as_report(measured(15, 5)))
    assert ratios["24h"]["no_filter"]["overview"] == {
        "cold": {"p50": 1.5, "p99": 1.5},
        "tick": {"p50": 2.5, "p99": 2.5, "cpu_p50": 2.5},
    }
    assert ratios["7d"]["no_filter"]["overview"] == {"not_measured": "not asked of both sizes"}


def test_a_question_that_was_not_measured_counts_as_missing_its_goal() -> None:
    assert [miss["range"] for miss in misses(measured(10, 2))] == ["7d"]
    assert [miss["range"] for miss in misses(measured(51, 2))] == ["7d", "24h"]
    assert misses(measured(51, 20))[1]["times_over"] == 2.0


def test_asks_of_all_questions_are_pooled_by_way_and_filter_and_counted_against_their_goal() -> None:
    times = {
        ("cold", "no_filter"): [(20.0, 10.0)] * 98 + [(60.0, 30.0)] * 2,
        ("cold", "label"): [(50.0, 25.0)],
        ("tick", "label"): [(9.9, 9.0), (10.0, 9.0)],
        ("warm", "label"): [],
    }
    report = pooled(times)
    assert report["cold"]["no_filter"] == {
        "n": 100, "p50": 20.0, "p99": 60.0, "max": 60.0, "cpu_p50": 10.0, "cpu_p99": 30.0, "over_goal": 2
    }  # fmt: skip
    assert {name: asks["over_goal"] for name, asks in report["cold"].items()} == {"no_filter": 2, "label": 1, "all": 3}
    assert report["tick"]["all"]["over_goal"] == 1
    assert "warm" not in report
