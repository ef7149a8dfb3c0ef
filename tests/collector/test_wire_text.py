"""The text that travels is, to the letter, what `json` makes of a metric's form on the wire."""

import json
import math

import pytest

from collector.events import Event, PageNavigation, PageScrape, SchedulerRun, to_wire
from collector.run_events import ScraperRun
from collector.sinks import Batch
from collector.spool import decode, encode
from collector.wire_text import event_text

NOW_MS = 1_795_356_008_591
ODD = 'a "quoted" %s 100 % \\ text\n\t\x01\x7f\u2028 with ünïcödé and \N{GRINNING FACE}'
EVENTS: list[Event] = [
    PageNavigation("shop", "https://a.test/", 150, True, 0, None, 200, NOW_MS),
    PageNavigation("shop", "https://a.test/", 0.125, False, 3, ODD, None, NOW_MS, "r-1", {ODD: ODD, "b": ""}),
    PageNavigation(ODD, ODD, 1e-7, True, 2**31 - 1, "", 599, NOW_MS, ODD, {}),
    PageScrape("shop", "https://a.test/", 12.5, 7, True, None, None, None, NOW_MS),
    PageScrape("shop", ODD, 604_800_000.0, 0, False, ODD, 2**63 - 1, "parse_error", NOW_MS, "r", {"a": "b"}, {}),
    PageScrape("shop", "x", 3, 7, True, None, 0, ODD, NOW_MS, None, None, {"price": 7, ODD: 0, "title": 6}),
    SchedulerRun("nightly", 3, True, 0, ODD, "shop", NOW_MS, "r"),
    ScraperRun("nightly", "r", None, "running", NOW_MS, NOW_MS, 3, None, 30_000, None),
]


def by_json(event: Event) -> str:
    return json.dumps(to_wire(event), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_is_written_as_json_writes_it(event: Event) -> None:
    assert event_text(event) == by_json(event)


def test_values_that_no_check_let_pass_are_written_as_json_writes_them() -> None:
    class Whole(int):
        def __repr__(self) -> str:
            return "no number"

    for event in (
        PageNavigation("a", "u", True, True, 0, None, None, NOW_MS),
        PageNavigation("a", "u", Whole(3), True, Whole(2), None, Whole(200), NOW_MS),
        PageNavigation("a", "u", -1, 1, False, None, 200.0, 1.5),  # type: ignore[arg-type]
        PageScrape("a", "u", 1, True, True, None, True, None, NOW_MS, None, None, {"a": True}),
        PageScrape(3, None, 1, 2, None, 4, None, 5, NOW_MS, 6, {"a": 7}, {"b": 1.5}),  # type: ignore[arg-type,dict-item]
    ):
        assert event_text(event) == by_json(event)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        event_text(PageNavigation("a", "u", number, True, 0, None, None, NOW_MS))


def test_a_value_that_json_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        event_text(PageNavigation("a", b"u", 1, True, 0, None, None, NOW_MS))  # type: ignore[arg-type]


def test_what_lies_on_the_disk_comes_back_as_it_was() -> None:
    metrics = tuple(event for event in EVENTS[:1] + EVENTS[3:4] if not isinstance(event, ScraperRun))
    batch = Batch("id-1", metrics, (EVENTS[-1],))  # type: ignore[arg-type] # the last one is a run
    assert decode(encode(batch), NOW_MS) == batch
