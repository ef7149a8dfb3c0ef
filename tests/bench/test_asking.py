"""What the storage bench makes of its times: which goals are missed, and what grows with the rows."""

from __future__ import annotations

from typing import Any

from bench.storage.asking import Cell, as_report, flatness, misses
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
