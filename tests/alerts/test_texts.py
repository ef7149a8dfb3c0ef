"""The words of notifications, exactly: what somebody reads at three in the morning."""

from __future__ import annotations

from functools import partial

import pytest

from alerts.channels import Channel
from alerts.texts import Texts, preview, title
from tests.alerts.samples import AT_MS, entry, notice
from web.alert_links import alert_link

MINUTE_MS = 60_000
TEXTS = Texts(partial(alert_link, "https://board.example.org"))


def test_one_source_that_fires_is_told_in_a_line_with_what_to_do_and_a_link() -> None:
    told = notice(reasons={"domain": "shop.example", "error": "HTTP 503"}, description="Pause it.")
    message = TEXTS.message([told])
    assert message.title == "CRITICAL · Low success rate: shop-1"
    assert message.plain == (
        "shop-1: success rate 42.1 % (threshold 90 %), since 09:52 UTC (8 min)\n"
        "Mostly: domain shop.example, error HTTP 503\n"
        "What to do: Pause it.\n"
        "https://board.example.org/scrapers/shop-1?from=1795339320000"
    )
    assert message.markdown.startswith("`shop-1`: success rate")


def test_many_sources_are_named_up_to_twenty_and_the_others_counted() -> None:
    firing = tuple(entry(f"shop-{number:02}", new=number < 5) for number in range(32))
    message = Texts().message([notice(*firing)])
    assert message.title == "CRITICAL · Low success rate: 32 sources (shop.example)"
    lines = message.plain.split("\n")
    assert lines[0] == "32 sources are affected, 5 of them new:"
    assert lines[1].startswith("- shop-00: success rate 42.1 %")
    assert lines[1].endswith("(8 min), new")
    assert lines[20].startswith("- shop-19: ")
    assert not lines[20].endswith("new")
    assert lines[21:] == ["- and 12 more", "In common: domain shop.example"]


def test_a_field_that_is_missing_is_named_in_the_usual_words_and_in_templates() -> None:
    told = notice(entry(value=12.0), measure="field_coverage", field="price", reasons={})
    plain = TEXTS.message([told]).plain
    assert plain.startswith("shop-1: field price in 12 % of the items (threshold 90 %), since 09:52 UTC")
    channel = Channel(id="ops", name="Ops", title="{field}: {rule}")
    assert TEXTS.of_channel(channel, [told]).title == "price: Low success rate"


def test_a_reminder_says_for_how_long_and_a_good_end_too() -> None:
    since = AT_MS - 120 * MINUTE_MS
    assert title(notice(entry(fired_ms=since), what="still_firing")) == (
        "STILL FIRING for 2 h · Low success rate: shop-1"
    )
    over = entry(fired_ms=AT_MS - 25 * MINUTE_MS, resolved_ms=AT_MS, value=98.5)
    message = Texts().message([notice(what="resolved", resolved=(over,), reasons={})])
    assert message.title == "RESOLVED after 25 min · Low success rate: shop-1"
    assert message.plain == "shop-1: fired for 25 min (09:35 UTC – 10:00 UTC), now success rate 98.5 %"


def test_what_was_resolved_meanwhile_stands_below_what_still_fires() -> None:
    over = entry("shop-2", fired_ms=AT_MS - 600_000, resolved_ms=AT_MS - 60_000, value=None, because="no data")
    text = Texts().message([notice(entry("shop-1"), resolved=(over,), reasons={})]).plain
    assert text.split("\n")[1:] == [
        "1 source is fine again:",
        "- shop-2: fired for 9 min (09:50 UTC – 09:59 UTC), because there is no data",
    ]


@pytest.mark.parametrize(
    ("measure", "value", "threshold", "said"),
    [
        ("no_data", 900, 600, "nothing heard for 15 min (threshold 10 min)"),
        ("run_missed", 1, 1, "1 run missed"),
        ("run_failed", 3, 3, "3 runs failed in a row"),
        ("p95_ms", 12_345.6, 2_000, "p95 duration 12,346 ms (threshold 2,000 ms)"),
        ("error_count", 1, 10, "1 error (threshold 10 errors)"),
        ("yield", 0.25, 1, "0.25 items a scrape (threshold 1 items a scrape)"),
        ("green_but_empty", 98, 50, "successful but without items: 98 % (threshold 50 %)"),
        ("success_rate", None, None, "nothing is known"),
    ],
)
def test_every_measure_is_told_in_words(measure: str, value: float, threshold: float, said: str) -> None:
    told = notice(entry(value=value, threshold=threshold, fired_ms=AT_MS), measure=measure, reasons={})
    assert Texts().message([told]).plain == f"shop-1: {said}, since 10:00 UTC"


def test_the_words_of_the_rule_go_before_the_usual_ones() -> None:
    told = notice(entry(message="shop-1 sells nothing"), reasons={})
    assert Texts().message([told]).plain == "shop-1: shop-1 sells nothing, since 09:52 UTC (8 min)"


def test_several_notifications_that_waited_are_one_message_with_their_titles() -> None:
    over = notice(what="resolved", rule_name="Slow", resolved=(entry("news", resolved_ms=AT_MS),))
    message = Texts().message([notice(), over])
    assert message.title == "2 notifications: 1 firing, 1 resolved"
    assert "CRITICAL · Low success rate: shop-1\n" in message.plain
    assert "\n\nRESOLVED after 8 min · Slow: news\n" in message.plain
    assert "**RESOLVED after 8 min · Slow: news**" in message.markdown


def test_a_source_cant_call_everybody_or_disguise_a_link() -> None:
    bad = "@everyone <!channel> `<https://evil.example|ok>`\n# x"
    message = Texts().message([notice(entry(bad), reasons={"domain": "@here"})])
    for text in (message.title, message.plain, message.markdown):
        assert "@everyone" not in text
        assert "@here" not in text
        assert "<!channel" not in text
        assert "\n# x" not in text
    assert "<https://evil" not in message.markdown
    assert message.markdown.count("`") == 2


def test_the_fleet_and_another_day_are_named() -> None:
    told = notice(entry("", fired_ms=AT_MS - 86_400_000), by="fleet", reasons={})
    assert (
        Texts().message([told]).plain.startswith("the fleet: success rate 42.1 % (threshold 90 %), since 2026-11-21 ")
    )
    assert title(told) == "CRITICAL · Low success rate: the fleet"


def test_a_channels_own_words_are_used_and_empty_ones_are_not() -> None:
    channel = Channel(id="x", name="X", title="{severity}: {keys}", body="{rule} since {since}, {duration}, {reason}")
    message = Texts().of_channel(channel, [notice()])
    assert message.title == "critical: shop-1"
    assert message.plain == "Low success rate since 09:52 UTC, 8 min, domain shop.example"
    empty = Channel(id="x", name="X", title="{link}", body="{link}")
    assert Texts().of_channel(empty, [notice()]) == Texts().message([notice()])
    assert (
        preview(Channel(id="x", name="X", title="{title}!"), Texts(), AT_MS)[0]
        == "TEST: a notification of Scrapeboard!"
    )
