"""How many items have a usable value in each of their fields."""

import dataclasses
import math
from collections import namedtuple
from typing import Any

import pytest

from collector import Collector, InvalidMetric
from collector.coverage import count_fields, is_usable
from collector.events import PageScrape
from tests.collector.doubles import MemorySink, only

URL = "https://shop.test/list"


@pytest.mark.parametrize("value", [0, False, 0.0, "x", [0], object(), {"a": None}, b"x"])
def test_a_value_that_says_something_is_usable(value: object) -> None:
    assert is_usable(value)


@pytest.mark.parametrize("value", [None, "", " \n\t", math.nan, [], {}, (), set(), b""])
def test_a_value_that_says_nothing_is_not_usable(value: object) -> None:
    assert not is_usable(value)


def test_fields_are_counted_in_dicts_dataclasses_and_named_tuples() -> None:
    item = dataclasses.make_dataclass("Item", ["price", "title"])
    row = namedtuple("row", ["price", "title"])
    found: list[Any] = [{"price": 5, "title": ""}, item(None, "a"), row(3, "b"), "a text has no fields"]
    assert count_fields(found) == {"price": 2, "title": 2}


def test_a_field_that_every_item_leaves_out_is_missed_when_it_is_named() -> None:
    assert count_fields([{"title": "a"}, {"title": "b"}]) == {"title": 2}
    assert count_fields([{"title": "a"}, {"title": "b"}], ["price", "title"]) == {"price": 0, "title": 2}


def test_no_more_than_fifty_fields_are_counted_and_too_many_items_only_as_a_number() -> None:
    counts = count_fields([{f"f{number}": 1 for number in range(80)}], ["mine"])
    assert counts is not None
    assert len(counts) == 50
    assert counts["mine"] == 0
    assert count_fields([{"a": 1}] * 10_001) is None


def test_items_are_counted_with_their_fields_when_they_are_recorded(tracked: Collector, sink: MemorySink) -> None:
    items = [{"price": 5, "title": "a"}, {"price": None, "title": "b"}]
    tracked.record_page_scrape("shop", url=URL, scrape_duration_ms=5, items=items, fields=["price", "stock"])
    items.clear()
    scrape = only(PageScrape, tracked, sink)
    assert scrape.items_extracted == 2
    assert scrape.fields == {"price": 1, "stock": 0, "title": 2}


def test_counts_by_field_are_copied_and_may_overrule_those_of_the_items(tracked: Collector, sink: MemorySink) -> None:
    mine = {"price": 2}
    tracked.record_page_scrape("shop", url=URL, scrape_duration_ms=5, items=[{"price": 1}, {"price": ""}], fields=mine)
    mine["price"] = 77
    assert only(PageScrape, tracked, sink).fields == {"price": 2}


def test_fields_without_items_stand_for_themselves(tracked: Collector, sink: MemorySink) -> None:
    tracked.record_page_scrape("shop", url=URL, scrape_duration_ms=5, items_extracted=5, fields={"price": 5})
    assert only(PageScrape, tracked, sink).fields == {"price": 5}


def test_an_iterator_is_refused_without_being_consumed(tracked: Collector) -> None:
    items = iter([1, 2])
    with pytest.raises(InvalidMetric, match="items"):
        tracked.record_page_scrape("shop", url=URL, scrape_duration_ms=5, items=items)  # type: ignore[arg-type]
    assert list(items) == [1, 2]


def test_items_that_raise_when_they_are_looked_at_are_counted_as_invalid(
    collector: Collector, sink: MemorySink
) -> None:
    class Bad(dict[str, object]):
        def items(self) -> Any:
            raise RuntimeError("no")

    collector.configure(sinks=[sink])
    collector.record_page_scrape("shop", url=URL, scrape_duration_ms=5, items=[Bad(a=1)])
    collector.flush()
    assert collector.get_metrics_stats()["dropped_by_reason"] == {"invalid": 1}
