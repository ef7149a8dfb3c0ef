"""Record calls: what they accept, and that they never hurt the scraper."""

import datetime
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import collector as package
from collector import Collector, InvalidMetric
from collector.events import PageNavigation
from tests.collector.doubles import MemorySink

UTC = datetime.timezone.utc  # noqa: UP017 - as the collector, which runs on Python 3.10


class Hostile:
    """Raises whatever one does with it."""

    def _fail(self, *args: object) -> Any:
        raise RuntimeError("hostile")

    __len__ = __str__ = __repr__ = __eq__ = __iter__ = __bool__ = __float__ = __index__ = __getattr__ = _fail
    __hash__ = None  # type: ignore[assignment]


class HostileError(Exception):
    """Can't say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("hostile")


class HostileMapping(Mapping[str, str]):
    """Raises when it is read."""

    def __getitem__(self, key: str) -> str:
        raise RuntimeError("hostile")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("hostile")

    def __len__(self) -> int:
        raise RuntimeError("hostile")


def recursive_labels() -> dict[str, Any]:
    labels: dict[str, Any] = {}
    labels["self"] = labels
    return labels


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"scraper_source": None}, "scraperSource"),
    ({"scraper_source": "s" * 200}, "scraperSource"),
    ({"url": None}, "url"),
    ({"url": b"https://host/"}, "url"),
    ({"url": ""}, "url"),
    ({"url": Hostile()}, "url"),
    ({"navigation_duration_ms": "150"}, "navigationDurationMs"),
    ({"navigation_duration_ms": float("nan")}, "navigationDurationMs"),
    ({"navigation_duration_ms": -1}, "navigationDurationMs"),
    ({"navigation_duration_ms": None}, "navigationDurationMs"),
    ({"success": "yes"}, "success"),
    ({"retry_count": -1}, "retryCount"),
    ({"error": 5}, "error"),
    ({"error": Hostile()}, "error"),
    ({"status_code": 7}, "statusCode"),
    ({"recorded_at": "yesterday"}, "recordedAt"),
    ({"recorded_at": 1_702_214_400}, "recordedAt"),
    ({"recorded_at": datetime.datetime(1970, 1, 1, tzinfo=UTC)}, "recordedAt"),
    ({"run_id": 5}, "runId"),
    ({"labels": ["a"]}, "labels"),
    ({"labels": {"a": 1}}, "labels"),
    ({"labels": recursive_labels()}, "labels"),
    ({"labels": HostileMapping()}, "labels"),
    ({"labels": {str(number): "x" for number in range(100_000)}}, "labels"),
]


def call(collector: Collector, **changes: Any) -> None:
    arguments: dict[str, Any] = {"url": "https://host/", "navigation_duration_ms": 1, **changes}
    collector.record_page_navigation(arguments.pop("scraper_source", "cnbc"), **arguments)


def recorded(collector: Collector, **changes: Any) -> PageNavigation:
    """Record one navigation and say how it arrives."""
    sink = MemorySink()
    collector.configure(sinks=[sink])
    call(collector, **changes)
    assert collector.flush(), collector.get_metrics_stats()
    (metric,) = sink.metrics
    assert isinstance(metric, PageNavigation)
    return metric


@pytest.mark.parametrize(("changes", "field"), WRONG, ids=[f"{field}-{n}" for n, (_, field) in enumerate(WRONG)])
def test_a_wrong_value_is_counted_and_never_raised(
    collector: Collector, changes: dict[str, Any], field: str, caplog: pytest.LogCaptureFixture
) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink])
    call(collector, **changes)
    call(collector)
    assert not collector.flush()
    assert len(sink.metrics) == 1
    stats = collector.get_metrics_stats()
    assert stats["dropped_by_reason"] == {"invalid": 1}
    assert field in (stats["last_error"] or "")
    assert field in caplog.text


@pytest.mark.parametrize(("changes", "field"), WRONG, ids=[f"{field}-{n}" for n, (_, field) in enumerate(WRONG)])
def test_a_wrong_value_raises_at_once_in_strict_mode(collector: Collector, changes: dict[str, Any], field: str) -> None:
    collector.configure(sinks=[MemorySink()], strict=True)
    with pytest.raises(InvalidMetric) as caught:
        call(collector, **changes)
    assert caught.value.field == field
    assert collector.get_metrics_stats()["recorded"] == 0


def test_strict_mode_checks_every_kind_and_lets_good_metrics_pass(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], strict=True)
    with pytest.raises(InvalidMetric, match="itemsExtracted"):
        collector.record_page_scrape("cnbc", url="https://host/", scrape_duration_ms=1, items_extracted=-1)
    with pytest.raises(InvalidMetric, match="executionDurationMs"):
        collector.record_scheduler_metric("nightly", execution_duration_ms=-1)
    call(collector)
    collector.record_page_scrape("cnbc", url="https://host/", scrape_duration_ms=1)
    collector.record_scheduler_metric("nightly", execution_duration_ms=1, error=ValueError("late"))
    assert collector.flush()
    assert len(sink.metrics) == 3


def test_a_hundred_equal_mistakes_are_one_log_line(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    collector.configure(sinks=[MemorySink()])
    for _ in range(100):
        call(collector, url=None)
    collector.flush()
    assert collector.get_metrics_stats()["dropped_by_reason"] == {"invalid": 100}
    assert len([line for line in caplog.records if line.levelno >= logging.WARNING]) == 1


@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.just({})
            for name in (
                "scraper_source",
                "url",
                "navigation_duration_ms",
                "success",
                "retry_count",
                "error",
                "status_code",
                "recorded_at",
                "run_id",
                "labels",
            )
        },
    )
)
def test_whatever_is_passed_is_delivered_or_counted(values: dict[str, Any]) -> None:
    collector = Collector()
    sink = MemorySink()
    collector.configure(sinks=[sink])
    try:
        call(collector, **values)
        collector.flush()
        assert len(sink.metrics) + collector.get_metrics_stats()["dropped"] == 1
    finally:
        collector.close()


def test_labels_are_copied(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink], flush_interval_s=3600)
    labels = {"proxy": "eu"}
    call(collector, labels=labels)
    labels["proxy"] = "us"
    assert collector.flush()
    assert [m.labels for m in sink.metrics if isinstance(m, PageNavigation)] == [{"proxy": "eu"}]


def test_an_exception_is_accepted_as_the_error(collector: Collector) -> None:
    assert recorded(collector, error=TimeoutError("30 s over")).error == "TimeoutError: 30 s over"


def test_an_exception_without_a_text_gives_its_type(collector: Collector) -> None:
    assert recorded(collector, error=KeyboardInterrupt()).error == "KeyboardInterrupt"


def test_an_exception_whose_text_raises_gives_its_type(collector: Collector) -> None:
    assert recorded(collector, error=HostileError()).error == "HostileError"


def test_secrets_do_not_leave_the_process_in_urls_or_errors(collector: Collector) -> None:
    metric = recorded(
        collector, url="https://ann:pw@host/?token=abc", error="timeout at https://ann:pw@host/?token=abc"
    )
    assert metric.url == "https://host/?token=***"
    assert metric.error == "timeout at https://host/?token=***"


def test_a_url_of_megabytes_is_cut_before_it_waits(collector: Collector) -> None:
    assert len(recorded(collector, url="data:image/png;base64," + "A" * 5_000_000).url) == 2048


@pytest.mark.parametrize(
    ("moment", "expected_ms"),
    [
        (1_702_214_400_000, 1_702_214_400_000),
        (1_702_214_400_000.9, 1_702_214_400_000),
        (datetime.datetime(2023, 12, 10, 13, 20, tzinfo=UTC), 1_702_214_400_000),
        (datetime.datetime(2023, 12, 10, 13, 20), 1_702_214_400_000),
        (
            datetime.datetime(2023, 12, 10, 15, 20, 0, 999_999, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            1_702_214_400_999,
        ),
    ],
)
def test_the_moment_may_be_a_datetime_or_epoch_milliseconds(
    collector: Collector, moment: datetime.datetime | float, expected_ms: int
) -> None:
    assert recorded(collector, recorded_at=moment).recorded_at_ms == expected_ms


def test_without_a_moment_it_is_that_of_the_call(collector: Collector) -> None:
    before = datetime.datetime.now(UTC).timestamp() * 1000
    metric = recorded(collector)
    assert before - 1 <= metric.recorded_at_ms <= datetime.datetime.now(UTC).timestamp() * 1000


def test_numbers_of_numpy_are_accepted_and_become_plain(collector: Collector) -> None:
    values = {
        "navigation_duration_ms": numpy.float32(1.5),
        "retry_count": numpy.int64(2),
        "success": numpy.bool_(False),
    }
    metric = recorded(collector, **values)
    assert type(metric.navigation_duration_ms) is float
    assert type(metric.retry_count) is int
    assert metric.success is False


def test_eight_threads_record_without_losing_anything(collector: Collector) -> None:
    sink = MemorySink()
    collector.configure(sinks=[sink])
    start = threading.Barrier(8)

    def work(source: str) -> None:
        start.wait()
        for number in range(2000):
            call(collector, scraper_source=source, navigation_duration_ms=number)

    threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert collector.flush(timeout_s=90)
    by_source: dict[str, list[float]] = {}
    for metric in sink.metrics:
        assert isinstance(metric, PageNavigation)
        by_source.setdefault(metric.scraper_source, []).append(metric.navigation_duration_ms)
    assert by_source == {f"s{number}": list(range(2000)) for number in range(8)}


def test_a_record_call_does_not_wait_for_a_sink_that_hangs(collector: Collector) -> None:
    entered, opened = threading.Event(), threading.Event()

    class Stuck(MemorySink):
        def send(self, batch: Any) -> Any:
            entered.set()
            opened.wait(90)
            return super().send(batch)

    sink = Stuck()
    collector.configure(sinks=[sink], batch_size=10)
    call(collector)
    assert entered.wait(90)
    for _ in range(10_000):
        call(collector)
    assert collector.get_metrics_stats()["recorded"] == 10_001
    opened.set()
    assert collector.flush(timeout_s=90)


def test_the_public_names_are_those_of_the_specification() -> None:
    functions = {name for name in package.__all__ if callable(getattr(package, name)) and name[0].islower()}
    assert functions == {
        "record_page_navigation",
        "record_page_scrape",
        "record_scheduler_metric",
        "configure",
        "declare_schedule",
        "flush",
        "flush_navigation_metrics",
        "flush_scrape_metrics",
        "flush_scheduler_metrics",
        "generate_daily_summary",
        "cleanup_old_metrics",
        "get_metrics_stats",
        "goto_with_retries_tracked",
        "scrape_page_tracked",
        "run_metrics_scheduler_tracked",
        "track_navigation",
        "track_scrape",
        "track_run",
        "run",
        "classify",
    }


def test_importing_the_collector_imports_the_standard_library_only(
    run_python: Callable[..., str], third_party_of: Callable[[str], set[str]]
) -> None:
    modules = run_python("import sys, collector, collector.integrations; print('\\n'.join(sys.modules))")
    assert third_party_of(modules) == {"collector"}


def test_this_process_has_one_default_collector() -> None:
    module: ModuleType = sys.modules["collector"]
    owners = {getattr(module, name).__self__ for name in module.__all__ if name[0].islower()}
    assert len(owners) == 1
