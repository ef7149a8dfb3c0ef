"""The rule editor: what the form says is the rule, mistakes stand at their fields, nobody overwrites another one."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from alerts.defaults import DEFAULT_RULES
from alerts.errors import BadSetting
from alerts.preview import Episode, Preview
from alerts.rules import Rule, rule_of
from alerts.yaml_text import BadYaml, rules_to_yaml
from charts.base import ChartAdapter
from charts.info import LineInfo
from components.alert_editor import rule_document, rule_form, slug, values_of, yaml_of
from components.alert_preview import preview_info, preview_of, preview_words
from components.timerange import DAY_MS, HOUR_MS, MINUTE_MS
from tests.alerts.simulator import World, every, moment, pages
from tests.pages.conftest import adapter  # noqa: F401 - a fixture
from tests.pages.tree import components_of, texts_of
from tests.web.test_alert_actions import NOW_MS, Tab
from web.alert_actions import at_fields
from web.alert_editor import RuleDesk

FULL = rule_of(
    {
        "id": "full", "name": "Full", "description": "d", "what": "p95_ms", "kind": "scrape", "window": "1h30m",
        "only": ["source=shop-*", "source!=shop-9"], "when": "above", "threshold": 5000, "recover": 4000.5,
        "baseline": {"days": 3, "tolerance_percent": 20, "same_weekday": True, "timezone": "Europe/Berlin"},
        "for": "3m", "keep_firing_for": "5m", "min_samples": 7, "no_data": "firing", "severity": "critical",
        "message": "{key} is slow", "unless": ["silent"], "labels": {"team": "prices"}, "channels": ["ops", "dev"],
        "repeat": "1h", "interval": "10s",
    }
)  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Any:
    tab = Tab(tmp_path)
    yield RuleDesk(tab.queries, tab.tables, clock_ms=lambda: NOW_MS)
    tab.engine.dispose()


@pytest.mark.parametrize("rule", [*DEFAULT_RULES, FULL], ids=lambda rule: rule.id)
def test_the_form_of_a_rule_says_that_rule(rule: Rule) -> None:
    assert rule_of(rule_document(values_of(rule))) == rule


def test_every_field_of_a_rule_is_in_the_form() -> None:
    fields = {field.alias or name for name, field in Rule.model_fields.items()}
    there = {
        component.id["field"]
        for component in components_of(rule_form(FULL, can_delete=True, is_default=False))
        if isinstance(getattr(component, "id", None), dict) and "field" in component.id
    }
    assert fields == {name for name in there if "." not in name}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"threshold": "nan"}, "threshold"),
        ({"threshold": "many"}, "threshold"),
        ({"threshold": "", "recover": ""}, "threshold"),
        ({"window": "40d"}, "window"),
        ({"window": "soon"}, "window"),
        ({"message": "{nonsense}"}, "message"),
        ({"message": "{key"}, "message"),
        ({"only": "shop"}, "only"),
        ({"baseline": "yes", "baseline.days": "1"}, "baseline.days"),
        ({"name": ""}, "name"),
        ({"id": "No Spaces"}, "id"),
        ({"repeat": "5s"}, "repeat"),
        ({"what": "run_failed"}, "by"),
    ],
)
def test_a_mistake_stands_at_its_field(changes: dict[str, str], field: str) -> None:
    base = rule_of({"id": "r", "name": "R", "what": "success_rate", "threshold": 80})
    values = values_of(base) | changes
    with pytest.raises(BadSetting) as caught:
        rule_of(rule_document(values))
    texts, _ = at_fields(list(values), caught.value)
    assert {name for name, text in zip(values, texts, strict=True) if text} == {field}


def test_two_who_edit_the_same_rule_do_not_overwrite_each_other(desk: RuleDesk) -> None:
    document = FULL.document()
    desk.save(document, by="Ada", known=None)
    version = desk.version("full")
    assert desk.rule("full") == FULL
    desk._tables.settings._clock_ms = lambda: NOW_MS + 1  # a moment later
    desk.save({**document, "threshold": 6000}, by="Bob", known=version)
    with pytest.raises(BadSetting, match="changed by Bob"):
        desk.save({**document, "threshold": 7000}, by="Ada", known=version)
    found = desk.rule("full")
    assert found is not None
    assert found.threshold == 6000
    with pytest.raises(BadSetting, match="taken"):
        desk.save(document, by="Ada", known=None)


def test_a_default_rule_is_switched_off_where_others_are_deleted(desk: RuleDesk) -> None:
    assert desk.delete("silent", by="Ada") == "Switched off: Silent."
    silent = desk.rule("silent")
    assert silent is not None
    assert not silent.enabled
    desk.switch("silent", on=True, by="Ada")
    desk.save(FULL.document(), by="Ada", known=None)
    assert desk.delete("full", by="Ada") == "Deleted: full."
    assert desk.rule("full") is None
    assert desk.switch("full", on=True, by="Ada") == "There is no such rule any more."


def test_all_rules_of_a_yaml_are_imported_or_none(desk: RuleDesk) -> None:
    assert desk.take(rules_to_yaml([FULL]), by="Ada") == 1
    for bad in ("a: &a [*a]", "rules:\n- {id: x}", "x" * 1_000_001, "[" * 5_000):
        with pytest.raises(BadYaml):
            desk.take(bad, by="Ada")
    assert [row.id for row in desk._tables.settings.all("rules")] == ["full"]


def test_an_id_is_made_of_the_name() -> None:
    assert slug("Prices: too slow!") == "prices-too-slow"
    assert rule_document({"id": "", "name": "Prices: slow"})["id"] == "prices-slow"


def test_preview_says_how_often_and_draws_value_threshold_and_bands(tmp_path: Path, adapter: ChartAdapter) -> None:  # noqa: F811
    def script(at_ms: int) -> Any:
        down = moment("2024-05-08 08:00") <= at_ms < moment("2024-05-08 09:00")
        yield from pages("shop", at_ms, 4, failing=float(down))

    now = "2024-05-08 12:00"
    rule = rule_of({"id": "r", "name": "R", "what": "success_rate", "threshold": 70, "window": "15m"})
    with World(tmp_path, now) as world:
        world.past(every(10 * MINUTE_MS, "2024-05-08 06:00", now, script))
        shown = preview_of(world.queries, adapter, rule, world.now_ms)
        assert texts_of(shown)[:2] == ["It would have fired once in the last 7 d.", "source shop: 1"]
        once = Episode("shop", moment("2024-05-08 08:15"), moment("2024-05-08 09:15"))
        found = Preview(moment("2024-05-08 06:00"), moment(now), 15 * MINUTE_MS, (once,))
        info = preview_info(world.queries, rule, found, "shop")
        assert isinstance(info, LineInfo)
        assert [(band.start_ms, band.end_ms) for band in info.bands] == [(once.fired_ms, once.resolved_ms)]
        assert list(info.lines[1].y) == [70.0] * 24
        assert min(info.lines[0].y) == 0.0


def test_preview_is_told_in_words() -> None:
    def words(*episodes: Episode, problem: str = "") -> str:
        return preview_words(Preview(0, 7 * DAY_MS, HOUR_MS, episodes, problem))

    assert words() == "It would not have fired in the last 7 d."
    assert words(Episode("a", 0, 1), Episode("a", 2, None)).startswith("It would have fired 2 times in the last 7 d; 1")
    assert words(problem="no labels").endswith("no labels")


def test_an_uploaded_file_has_the_limits_of_what_is_pasted() -> None:
    def of(data: bytes) -> str:
        return "data:application/yaml;base64," + b64encode(data).decode()

    text = rules_to_yaml([FULL])
    assert yaml_of(of(text.encode())) == text
    assert yaml_of(of(b"\xef\xbb\xbf" + text.encode())) == text  # as some editors begin a file
    for data, said in (
        (b"x" * 1_000_001, "at most 1,000,000 characters, not 1,000,001$"),
        ("ü".encode() * 3_000_000, "at most 1,000,000 characters, not 6,000,000 bytes"),
        (b"\x89PNG\xff", "a text in UTF-8"),
    ):
        with pytest.raises(BadYaml, match=said):
            yaml_of(of(data))
    with pytest.raises(BadYaml, match="UTF-8"):
        yaml_of("data:application/yaml;base64,???")
