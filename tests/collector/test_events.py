"""Metrics and their form on the wire."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector import fields
from collector.errors import InvalidMetric
from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun, from_wire, to_wire

NOW_MS = 1_702_214_400_000


def navigation(**changes: Any) -> dict[str, Any]:
    wire = {
        "type": "page_navigation",
        "scraperSource": "robinhood",
        "url": "https://robinhood.com/stocks/AAPL",
        "navigationDurationMs": 150,
        "retryCount": 0,
        "success": True,
        "error": None,
        "recordedAt": NOW_MS,
    }
    return {**wire, **changes}


def scrape(**changes: Any) -> dict[str, Any]:
    wire = {
        "type": "page_scrape",
        "scraperSource": "robinhood",
        "url": "https://robinhood.com/stocks/AAPL",
        "scrapeDurationMs": 200,
        "itemsExtracted": 5,
        "success": True,
        "error": None,
        "recordedAt": NOW_MS,
    }
    return {**wire, **changes}


def scheduler(**changes: Any) -> dict[str, Any]:
    wire = {
        "type": "scheduler",
        "schedulerName": "nightly",
        "executionDurationMs": 1500,
        "itemsProcessed": 7,
        "success": True,
        "error": None,
        "recordedAt": NOW_MS,
    }
    return {**wire, **changes}


names = st.text(min_size=1, max_size=50).map(lambda text: fields.clean(text).strip()).filter(bool)
short = st.none() | st.text(min_size=1, max_size=20).map(lambda text: fields.clean(text).strip()).filter(bool)
urls = st.text(min_size=1, max_size=200).map(lambda text: fields.clean(text).strip()).filter(bool)
durations = st.integers(0, fields.MAX_DURATION_MS) | st.floats(0, fields.MAX_DURATION_MS)
counts = st.integers(0, fields.MAX_COUNT)
errors = st.none() | st.text(max_size=100).map(fields.clean)
moments = st.integers(fields.EARLIEST_MS, NOW_MS + fields.MAX_AHEAD_MS)
labels = st.none() | st.dictionaries(
    st.text(min_size=1, max_size=50).map(fields.clean), st.text(max_size=200).map(fields.clean), min_size=1, max_size=16
)
metrics: st.SearchStrategy[Metric] = st.one_of(
    st.builds(
        PageNavigation,
        scraper_source=names,
        url=urls,
        navigation_duration_ms=durations,
        success=st.booleans(),
        retry_count=counts,
        error=errors,
        status_code=st.none() | st.integers(100, 599),
        recorded_at_ms=moments,
        run_id=short,
        labels=labels,
    ),
    st.builds(
        PageScrape,
        scraper_source=names,
        url=urls,
        scrape_duration_ms=durations,
        items_extracted=counts,
        success=st.booleans(),
        error=errors,
        data_size=st.none() | st.integers(0, fields.MAX_BYTES),
        outcome=short,
        recorded_at_ms=moments,
        run_id=short,
        labels=labels,
        fields=st.none() | st.just({"price": 0, "title": 0}),
    ),
    st.builds(
        SchedulerRun,
        scheduler_name=names,
        execution_duration_ms=durations,
        success=st.booleans(),
        items_processed=counts,
        error=errors,
        scraper_source=st.none() | names,
        recorded_at_ms=moments,
        run_id=short,
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(metric=metrics)
def test_a_metric_survives_the_wire_unchanged(metric: Metric) -> None:
    wire = json.loads(json.dumps(to_wire(metric)))
    assert from_wire(wire, now_ms=NOW_MS) == metric


@given(value=json_values)
def test_arbitrary_json_is_a_metric_or_invalid_and_nothing_else(value: object) -> None:
    try:
        from_wire(value, now_ms=NOW_MS)
    except InvalidMetric as exc:
        str(exc).encode()


@given(
    wire=st.sampled_from([navigation(), scrape(), scheduler()]),
    changes=st.dictionaries(
        st.sampled_from(
            [
                *navigation(),
                *scrape(),
                *scheduler(),
                "statusCode",
                "dataSize",
                "outcome",
                "runId",
                "labels",
                "fields",
            ]
        ),
        json_values,
        max_size=3,
    ),
)
@example(wire=navigation(), changes={"navigationDurationMs": 10**400})
@example(wire=navigation(), changes={"error": "\ud800", "url": "\udfff\x00"})
def test_a_metric_with_arbitrary_fields_is_storable_or_invalid(wire: dict[str, Any], changes: dict[str, Any]) -> None:
    try:
        metric = from_wire({**wire, **changes}, now_ms=NOW_MS)
    except InvalidMetric as exc:
        str(exc).encode()
    else:
        assert from_wire(to_wire(metric), now_ms=NOW_MS) == metric
        json.dumps(to_wire(metric), ensure_ascii=False, allow_nan=False).encode()
        assert not any("\0" in text for text in to_wire(metric).values() if isinstance(text, str))


def test_navigation_has_exactly_the_keys_of_the_specification_in_their_order() -> None:
    wire = navigation()
    assert list(to_wire(from_wire(wire, now_ms=NOW_MS)).items()) == list(wire.items())


def test_scrape_has_exactly_the_keys_of_the_specification_in_their_order() -> None:
    wire = scrape()
    assert list(to_wire(from_wire(wire, now_ms=NOW_MS)).items()) == list(wire.items())


def test_scheduler_run_has_exactly_the_keys_of_the_specification_in_their_order() -> None:
    wire = scheduler()
    assert list(to_wire(from_wire(wire, now_ms=NOW_MS)).items()) == list(wire.items())


def test_further_fields_travel_only_when_they_are_set() -> None:
    further = {"statusCode": 503, "runId": "r1", "labels": {"proxy": "eu"}}
    assert list(to_wire(from_wire(navigation(**further), now_ms=NOW_MS)))[8:] == ["statusCode", "runId", "labels"]
    further = {"dataSize": 12, "outcome": "ok", "fields": {"price": 5}, "runId": "r1", "labels": {"proxy": "eu"}}
    keys = ["dataSize", "outcome", "fields", "runId", "labels"]
    assert list(to_wire(from_wire(scrape(**further), now_ms=NOW_MS)))[8:] == keys
    further = {"scraperSource": "cnbc", "runId": "r1"}
    assert list(to_wire(from_wire(scheduler(**further), now_ms=NOW_MS)))[7:] == ["scraperSource", "runId"]


def test_numbers_keep_their_kind() -> None:
    whole = from_wire(navigation(navigationDurationMs=150), now_ms=NOW_MS)
    assert json.dumps(to_wire(whole)["navigationDurationMs"]) == "150"
    fraction = from_wire(navigation(navigationDurationMs=150.5), now_ms=NOW_MS)
    assert json.dumps(to_wire(fraction)["navigationDurationMs"]) == "150.5"


def test_missing_optional_fields_have_defaults() -> None:
    wire = {"type": "page_navigation", "scraperSource": "a", "url": "b", "navigationDurationMs": 1}
    metric = from_wire(wire, now_ms=NOW_MS)
    assert metric == PageNavigation("a", "b", 1, True, 0, None, None, NOW_MS, None, None)


def test_unknown_keys_are_ignored() -> None:
    assert from_wire(navigation(fromTheFuture=[1]), now_ms=NOW_MS) == from_wire(navigation(), now_ms=NOW_MS)


def test_names_are_stripped_and_long_texts_are_cut() -> None:
    metric = from_wire(navigation(scraperSource="  cnbc\n", url="u" * 3000, error="e" * 5000), now_ms=NOW_MS)
    assert isinstance(metric, PageNavigation)
    assert metric.scraper_source == "cnbc"
    assert len(metric.url) == 2048
    assert metric.error is not None
    assert len(metric.error) == 4000


def test_characters_that_cannot_be_stored_are_replaced() -> None:
    metric = from_wire(navigation(url="a\ud800b\x00c", labels={"k\x00": "\udc00"}), now_ms=NOW_MS)
    assert isinstance(metric, PageNavigation)
    assert metric.url == "a\ufffdb\ufffdc"
    assert metric.labels == {"k\ufffd": "\ufffd"}


@pytest.mark.parametrize(
    ("wire", "field"),
    [
        (None, "metric"),
        ([], "metric"),
        ({}, "type"),
        (navigation(type="page"), "type"),
        (navigation(type=["page_navigation"]), "type"),
        (navigation(scraperSource=None), "scraperSource"),
        (navigation(scraperSource=""), "scraperSource"),
        (navigation(scraperSource="   "), "scraperSource"),
        (navigation(scraperSource="s" * 200), "scraperSource"),
        (navigation(scraperSource=5), "scraperSource"),
        (navigation(url=None), "url"),
        (navigation(url=" "), "url"),
        (navigation(url=["https://x"]), "url"),
        (navigation(navigationDurationMs=-1), "navigationDurationMs"),
        (navigation(navigationDurationMs=None), "navigationDurationMs"),
        (navigation(navigationDurationMs="150"), "navigationDurationMs"),
        (navigation(navigationDurationMs=True), "navigationDurationMs"),
        (navigation(navigationDurationMs=math.nan), "navigationDurationMs"),
        (navigation(navigationDurationMs=math.inf), "navigationDurationMs"),
        (navigation(navigationDurationMs=10**12), "navigationDurationMs"),
        (navigation(retryCount=-1), "retryCount"),
        (navigation(retryCount=1.5), "retryCount"),
        (navigation(retryCount=2**31), "retryCount"),
        (navigation(retryCount=None), "retryCount"),
        (navigation(success="yes"), "success"),
        (navigation(success=1), "success"),
        (navigation(success=None), "success"),
        (navigation(error=5), "error"),
        (navigation(statusCode=99), "statusCode"),
        (navigation(statusCode=600), "statusCode"),
        (navigation(statusCode="200"), "statusCode"),
        (navigation(runId="r" * 65), "runId"),
        (navigation(runId=1), "runId"),
        (navigation(labels=[]), "labels"),
        (navigation(labels={"a": 1}), "labels"),
        (navigation(labels={"": "a"}), "labels"),
        (navigation(labels={"k" * 51: "a"}), "labels"),
        (navigation(labels={"k": "a" * 201}), "labels"),
        (navigation(labels={str(number): "a" for number in range(17)}), "labels"),
        (navigation(recordedAt="2023-12-10"), "recordedAt"),
        (navigation(recordedAt=0), "recordedAt"),
        (navigation(recordedAt=NOW_MS // 1000), "recordedAt"),
        (navigation(recordedAt=NOW_MS + 86_400_001), "recordedAt"),
        (navigation(recordedAt=NOW_MS + 0.5), "recordedAt"),
        (navigation(recordedAt=math.nan), "recordedAt"),
        (navigation(recordedAt=True), "recordedAt"),
        (scrape(scrapeDurationMs=-0.1), "scrapeDurationMs"),
        (scrape(itemsExtracted=-1), "itemsExtracted"),
        (scrape(itemsExtracted="5"), "itemsExtracted"),
        (scrape(dataSize=-1), "dataSize"),
        (scrape(dataSize=2**63), "dataSize"),
        (scrape(outcome="o" * 21), "outcome"),
        (scrape(fields=["price"]), "fields"),
        (scrape(fields={"price": 6}), "fields"),
        (scrape(fields={"price": -1}), "fields"),
        (scrape(fields={"price": 1.0}), "fields"),
        (scrape(fields={"price": True}), "fields"),
        (scrape(fields={"": 1}), "fields"),
        (scrape(fields={"f" * 65: 1}), "fields"),
        (scrape(fields={str(number): 1 for number in range(51)}), "fields"),
        (scheduler(schedulerName=None), "schedulerName"),
        (scheduler(executionDurationMs=None), "executionDurationMs"),
        (scheduler(itemsProcessed=None), "itemsProcessed"),
        (scheduler(scraperSource=""), "scraperSource"),
    ],
)
def test_a_wrong_field_is_named_and_what_it_accepts_is_said(wire: object, field: str) -> None:
    with pytest.raises(InvalidMetric) as caught:
        from_wire(wire, now_ms=NOW_MS)
    assert caught.value.field == field
    assert "must be" in caught.value.message
    assert str(caught.value) == f"{field}: {caught.value.message}"


def test_the_moment_may_be_a_whole_float_and_a_day_ahead() -> None:
    ahead_ms = NOW_MS + 86_400_000
    metric = from_wire(navigation(recordedAt=float(ahead_ms)), now_ms=NOW_MS)
    assert type(metric.recorded_at_ms) is int
    assert metric.recorded_at_ms == ahead_ms
