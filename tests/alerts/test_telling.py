"""What is told: grouped by what failures have in common, gathered, not what is silenced; and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Alert, alert_of
from alerts.channels import Channel
from alerts.evaluator import Evaluator
from alerts.grouping import MOST_NEW_GROUPS, common, grouped
from alerts.look import Look
from alerts.measured import Measured, judged
from alerts.notices import MOST_ENTRIES, Notice, notice_of
from alerts.rules import Rule, rule_of
from alerts.setting import Setting
from alerts.silences import Silence
from alerts.states import AlertState
from alerts.telling import GATHER_MS

NOW_MS = 1_714_564_800_000


@dataclass
class Stage:
    """Rules whose measures a test says, on a clock that a test moves."""

    rules: tuple[Rule, ...]
    silences: tuple[Silence, ...] = ()
    now_ms: int = NOW_MS
    values: dict[str, float] = field(default_factory=dict)  # by key
    of_rule: dict[str, dict[str, float]] = field(default_factory=dict)  # where rules differ
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self._measure)

    def _measure(self, rule: Rule, _look: Look) -> Measured:
        values = self.of_rule.get(rule.id, self.values)
        found = np.array(list(values.values()), dtype=np.float64)
        return judged(rule, tuple(values), found, np.ones(len(found), dtype=np.int64))

    def step(self, values: Mapping[str, float] | None = None, *, after_s: float = 10) -> list[Notice]:
        """Let time pass, see some values, and return what is told."""
        self.now_ms += int(after_s * 1000)
        if values is not None:
            self.values = dict(values)
        # Facts are those of labels here: no look at the metrics is needed.
        look = cast(Look, type("Moment", (), {"now_ms": self.now_ms})())
        due = [rule for rule in self.rules if rule.enabled]
        outcome = self.evaluator.evaluate(Setting(self.rules, self.silences, channels=CHANNELS), due, look)
        self.evaluator.keep(outcome)
        self.notices += outcome.notices
        for delivery in outcome.changes.deliveries:
            assert notice_of(delivery.document) in outcome.notices
        for row in outcome.changes.states:
            assert alert_of(row).row() == row
        return list(outcome.notices)


CHANNELS = {"ops": Channel(id="ops", name="Ops")}


def rule(**changes: Any) -> Rule:
    document = {"id": "r", "name": "R", "what": "error_count", "threshold": 10, "by": "label:shop"}
    return rule_of(document | changes)


def keys(notice: Notice) -> tuple[list[str], list[str]]:
    return [entry.key for entry in notice.firing], [entry.key for entry in notice.resolved]


def fired(key: str, **facts: str) -> Alert:
    return Alert("r", key, AlertState("firing", NOW_MS, NOW_MS, (NOW_MS,)), facts=facts)


def groups(*alerts: Alert, active: tuple[Alert, ...] = ()) -> list[set[str]]:
    """Which alerts are told together."""
    found: dict[str, set[str]] = {}
    for alert in grouped(alerts, active):
        found.setdefault(alert.group, set()).add(alert.key)
    return sorted(found.values(), key=sorted)


def test_alerts_with_one_reason_are_one_group() -> None:
    a = fired("a", domain="x.example", error="HTTP 503")
    b = fired("b", domain="x.example", error="timeout")
    c = fired("c", domain="z.example", error="parse")
    assert groups(a, b, c) == [{"a", "b"}, {"c"}]
    assert common([a, b]) == {"domain": "x.example"}


def test_same_proxy_label_on_different_domains_is_one_reason() -> None:
    alerts = [fired(str(n), domain=f"{n}.example", error=f"e{n}", **{"label:proxy": "eu-1"}) for n in range(4)]
    assert groups(*alerts) == [{"0", "1", "2", "3"}]
    assert common(alerts) == {"label:proxy": "eu-1"}


def test_what_is_most_frequent_decides_whatever_the_order() -> None:
    odd = fired("0", domain="a.example", error="boom")
    alerts = [fired(f"{n}", domain="b.example", error="boom" if n == 5 else "other") for n in range(1, 6)]
    assert groups(odd, *alerts) == groups(*reversed(alerts), odd)


def test_alerts_of_which_nothing_is_known_are_told_together() -> None:
    assert groups(fired("a"), fired("b"), fired("c", error="x")) == [{"a", "b"}, {"c"}]


def test_one_that_comes_later_joins_its_group() -> None:
    (first,) = grouped([fired("a", error="x")], [])
    (second,) = grouped([fired("b", error="x", domain="d")], [first])
    assert second.group == first.group


def test_too_many_reasons_at_once_are_told_as_few() -> None:
    assert len(groups(*(fired(f"{n:03}", error=f"e{n}") for n in range(100)))) == MOST_NEW_GROUPS


def test_first_is_told_at_once_and_what_follows_is_gathered() -> None:
    stage = Stage((rule(),))
    (notice,) = stage.step({"a": 50})
    assert (notice.what, notice.firing_count, keys(notice)) == ("firing", 1, (["a"], []))
    assert stage.step() == []
    assert stage.step({"a": 0}) == []
    (notice,) = stage.step(after_s=GATHER_MS / 1000)
    assert (notice.what, keys(notice)) == ("resolved", ([], ["a"]))
    assert notice.resolved[0].fired_ms == NOW_MS + 10_000
    assert notice.resolved[0].resolved_ms == NOW_MS + 30_000


def test_who_was_told_that_it_fires_is_not_told_again_when_it_was_fine_for_a_moment() -> None:
    stage = Stage((rule(),))
    stage.step({"a": 50})
    stage.step({"a": 0})
    assert stage.step({"a": 50}) == []
    assert stage.step(after_s=600) == []
    (notice,) = stage.step({"a": 0}, after_s=600)
    assert notice.what == "resolved"


def test_reminders_come_as_often_as_the_rule_says_and_name_all_that_fire() -> None:
    stage = Stage((rule(repeat="1h"),))
    stage.step({"a": 50})
    assert stage.step(after_s=3_599) == []
    (notice,) = stage.step(after_s=1)
    assert (notice.what, keys(notice)[0], notice.since_ms) == ("still_firing", ["a"], NOW_MS + 10_000)
    assert stage.step(after_s=1) == []
    never = Stage((rule(repeat="0s"),))
    never.step({"a": 50})
    assert never.step(after_s=1_000_000) == []


def test_more_than_a_hundred_alerts_are_counted() -> None:
    stage = Stage((rule(by="fleet"),))
    stage.step({f"{n:03}": 50.0 for n in range(250)})
    assert sum(notice.firing_count for notice in stage.notices) == 250
    assert max(len(notice.firing) for notice in stage.notices) == MOST_ENTRIES


def test_rule_that_says_less_is_quiet_while_another_says_more() -> None:
    total = rule(id="total", threshold=90)
    less = rule(unless=["total"], window="10m")
    stage = Stage((total, less))
    assert [notice.rule_id for notice in stage.step({"a": 95})] == ["total"]
    assert [(notice.rule_id, notice.what) for notice in stage.step({"a": 50}, after_s=120)] == [("total", "resolved")]
    assert stage.step(after_s=300) == []  # what is left in its window
    assert [notice.rule_id for notice in stage.step(after_s=301)] == ["r"]  # that is something of its own
    assert [notice.rule_id for notice in stage.step({"b": 50, "a": 50}, after_s=100)] == ["r"]


def test_message_of_a_rule_is_filled_in_for_each_alert() -> None:
    stage = Stage((rule(message="{key}: {value} over {threshold} in {window}, for {for} ({count})", window="5m"),))
    (notice,) = stage.step({"a": 50})
    assert notice.firing[0].message == "a: 50 errors over 10 errors in 5 min, for 0 s (1)"


def test_rule_whose_channel_was_renamed_or_deleted_is_told_all_the_same() -> None:
    renamed = Channel(id="ops", name="Operators")
    for channels, wanted in ((("ops",), ["ops"]), (("gone",), ["ops", "dev"]), (("gone", "dev"), ["dev"])):
        stage = Stage((rule(channels=list(channels)),), values={"a": 50})
        setting = Setting(stage.rules, channels={"ops": renamed, "dev": Channel(id="dev", name="Dev")})
        look = cast(Look, type("Moment", (), {"now_ms": NOW_MS})())
        outcome = stage.evaluator.evaluate(setting, stage.rules, look)
        assert [row.channel_id for row in outcome.changes.deliveries] == wanted


def test_message_and_notice_name_the_field_that_is_missing() -> None:
    covered = rule(what="field_coverage", field="price", threshold=90, message="{field} is gone: {value}")
    (notice,) = Stage((covered,)).step({"a": 12})
    assert (notice.field, notice.firing[0].message) == ("price", "price is gone: 12 %")
    assert notice_of(notice.document()) == notice


silenced_spans = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), max_size=4)


@given(st.lists(st.booleans(), min_size=1, max_size=40), silenced_spans)
def test_silences_never_lose_a_later_alert(bad: list[bool], spans: list[tuple[int, int]]) -> None:
    """Each step is two minutes, so that nothing waits to be gathered."""
    silences = tuple(
        Silence(
            id=f"s{n}", only=("key=a",), starts_ms=NOW_MS + start * 120_000, ends_ms=NOW_MS + (start + length) * 120_000
        )
        for n, (start, length) in enumerate(spans)
    )
    stage = Stage((rule(repeat="0s"),), silences)
    believed = False  # what somebody who reads the notifications takes it for
    for number, is_bad in enumerate(bad):
        told = stage.step({"a": 50.0 if is_bad else 0.0}, after_s=120)
        silent = any(silence.active(stage.now_ms) for silence in silences)
        assert not (silent and told), "told in spite of a silence"
        for notice in told:
            believed = notice.what == "firing"
        state = next((alert.state for alert in stage.evaluator.alerts() if alert.key == "a"), AlertState())
        if not silent and state.active:
            assert believed, f"step {number}: it fires and nobody knows"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 200)), min_size=1, max_size=60))
def test_what_is_told_alternates_and_says_the_truth_in_the_end(steps: list[tuple[bool, int]]) -> None:
    stage = Stage((rule(repeat="0s"),))
    for is_bad, after_s in steps:
        before = [(alert.key, alert.state.standing) for alert in stage.evaluator.alerts() if alert.state.active]
        told = stage.step({"a": 50.0 if is_bad else 0.0}, after_s=after_s)
        assert len(told) <= 1
        assert before or not told or told[0].what != "resolved" or told[0].resolved
    stage.step(after_s=4 * 3_600)  # everything is gathered, nothing flaps any more
    stage.step(after_s=4 * 3_600)
    whats = [notice.what for notice in stage.notices]
    active = any(alert.state.active for alert in stage.evaluator.alerts())
    assert (whats[-1] == "firing") == active if whats else not active
    assert all(first != "firing" or second == "resolved" for first, second in pairwise(whats))
