"""Rules as people write them: what is wrong is told by field, and nothing in a YAML text can hurt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.defaults import DEFAULT_RULES, effective
from alerts.errors import BadSetting
from alerts.matchers import match
from alerts.message import filled
from alerts.rules import Rule, rule_of
from alerts.units import said, seconds, written
from alerts.yaml_text import BadYaml, rules_from_yaml, rules_to_yaml
from db.alert_rows import SettingRow

LOW: dict[str, Any] = {"id": "low", "name": "Low success", "what": "success_rate", "threshold": 80}


def faults(**changes: Any) -> dict[str, str]:
    """What is wrong with a rule, by field."""
    with pytest.raises(BadSetting) as caught:
        rule_of({key: value for key, value in (LOW | changes).items() if value is not ...})
    return {fault.field: fault.message for fault in caught.value.faults}


def test_rule_is_read_with_lengths_of_time_as_people_write_them() -> None:
    rule = rule_of(LOW | {"window": "15m", "for": "90s", "keep_firing_for": 300, "repeat": "1d"})
    assert (rule.window_s, rule.for_s, rule.keep_firing_for_s, rule.repeat_s) == (900, 90, 300, 86_400)
    assert rule.below
    assert rule_of(rule.document()) == rule


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": ...}, "name", "required"),
        ({"id": "Low Success"}, "id", "small letters"),
        ({"what": "speed"}, "what", "'success_rate'"),
        ({"threshold": float("nan")}, "threshold", "finite"),
        ({"threshold": "inf"}, "threshold", "finite"),
        ({"threshold": "many"}, "threshold", "number"),
        ({"threshold": ...}, "threshold", "unless there is a baseline"),
        ({"recover": 70}, "recover", "from 80"),
        ({"window": "soon"}, "window", "like 90s, 5m, 2h"),
        ({"window": "90d"}, "window", "less than or equal"),
        ({"window": "1s"}, "window", "greater than or equal"),
        ({"for": "-5m"}, "for", "like 90s"),
        ({"repeat": "5s"}, "repeat", "at least 1m"),
        ({"by": "planet"}, "by", "label:<key>"),
        ({"only": ["source shop"]}, "only", "source=shop-*"),
        ({"only": ["source=" + "*a" * 9]}, "only", "5 stars"),
        ({"message": "{value:>999999999}"}, "message", "names in braces"),
        ({"message": "{rule.__class__}"}, "message", "names in braces"),
        ({"message": "it {fails"}, "message", "names in braces"),
        ({"severity": "apocalyptic"}, "severity", "'critical'"),
        ({"what": "run_missed"}, "by", "takes job"),
        ({"what": "p95_ms", "by": "job"}, "what", "by job, one of"),
        ({"what": "field_coverage"}, "field", "name of the field"),
        ({"field": "price"}, "field", "field_coverage only"),
        ({"by": "domain", "baseline": {}}, "baseline", "source or fleet"),
        ({"baseline": {"timezone": "Mars/Olympus"}}, "baseline.timezone", "Europe/Berlin"),
        ({"baseline": {"tolerance_percent": 20, "recover_percent": 30}}, "baseline", "up to tolerance_percent"),
        ({"treshold": 5}, "treshold", "the fields are"),
        ({"labels": {"team one": "x"}}, "labels", "letters, digits"),
        ({"min_samples": 0}, "min_samples", "greater than or equal to 1"),
        ({"by": "domain", "window": "25h"}, "window", "at most 1d by domain or label"),
        ({"by": "label:proxy", "window": "7d"}, "window", "at most 1d by domain or label"),
        ({"only": ["domain=a.example"], "window": "2d"}, "window", "at most 1d by domain or label"),
        ({"only": ["domain=a.example"], "baseline": {}}, "only", "isn't known of domains and labels"),
        ({"what": "no_data", "threshold": 60, "by": "domain"}, "by", "source, job or fleet"),
    ],
)
def test_what_is_wrong_is_told_by_field(changes: dict[str, Any], field: str, says: str) -> None:
    found = faults(**changes)
    assert field in found
    assert says in found[field]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert faults(name="", severity="bad", window="x").keys() == {"name", "severity", "window"}


def test_default_rules_survive_being_written_and_read() -> None:
    assert rules_from_yaml(rules_to_yaml(DEFAULT_RULES)) == DEFAULT_RULES


def test_rules_of_the_table_take_the_place_of_default_rules() -> None:
    mine = {**DEFAULT_RULES[0].document(), "threshold": 5}
    rules, problems = effective([
        SettingRow(DEFAULT_RULES[0].id, mine), SettingRow("low", LOW), SettingRow("odd", {"what": "?"})
    ])  # fmt: skip
    assert len(rules) == len(DEFAULT_RULES) + 1
    assert next(rule for rule in rules if rule.id == DEFAULT_RULES[0].id).threshold == 5
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a [x, x]\nb: *a", "line 1: takes no anchors"),
        ("rules: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("[" * 1_000 + "]" * 1_000, "at most 8 levels"),
        ("- " * 100_000, "at most"),
        ("x" * 1_000_001, "at most 1,000,000 characters"),
        ("rules:\n - id: a\n   id: b", "line 3: id stands there twice"),
        ("rules: 5", "a list of rules"),
        ("", "a list of rules"),
        ("- low\n- {1: 2}", "rule 2: takes fields"),
        ("rules: [\n", "line 2"),
        ("? [a]\n: b", "texts as names"),
        ("- id: 2024-13-45\n  name: x", "month must be in 1..12"),
        ("\x00", "characters are not allowed"),
    ],
)
def test_yaml_that_could_hurt_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadYaml) as caught:
        rules_from_yaml(text)
    assert says in str(caught.value)


def test_each_bad_rule_of_a_text_is_named() -> None:
    text = rules_to_yaml([rule_of(LOW)]) + "- id: second\n  name: Second\n  what: nothing\n- id: third\n"
    with pytest.raises(BadYaml) as caught:
        rules_from_yaml(text)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["rule Second", "rule third"]


def test_same_id_twice_is_refused() -> None:
    text = rules_to_yaml([rule_of(LOW), rule_of(LOW | {"name": "Again"})])
    with pytest.raises(BadYaml, match="low stands there twice"):
        rules_from_yaml(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        rules = rules_from_yaml(text)
    except BadYaml:
        return
    assert all(isinstance(rule, Rule) for rule in rules)


@given(st.integers(0, 400 * 86_400))
def test_lengths_of_time_are_read_as_they_were_written(length_s: int) -> None:
    assert seconds(written(length_s)) == length_s


def test_lengths_of_time_are_said_in_their_two_largest_units() -> None:
    assert [said(length) for length in (0, 59, 60, 7_500, 90_000)] == ["0 s", "59 s", "1 min", "2 h 5 min", "1 d 1 h"]


def test_matchers_take_what_they_name_and_leave_what_they_forbid() -> None:
    labels = {"source": "shop-eu", "domain": "shop.example"}
    assert match((), labels)
    assert match(("source=shop-*",), labels)
    assert match(("source=news", "source=shop-??"), labels)  # either
    assert not match(("source=shop-*", "domain=news.example"), labels)  # both
    assert not match(("source!=shop-*",), labels)
    assert match(("team!=ops",), labels)
    assert not match(("team=*s",), labels)


def test_message_is_filled_in() -> None:
    assert filled("{key} is at {value} {{so}}", {"key": "shop", "value": "5 %"}) == "shop is at 5 % {so}"
