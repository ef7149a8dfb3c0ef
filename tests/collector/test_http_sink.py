"""The HTTP sink against a real server that is down, slow, busy, wrong or right."""

import dataclasses
import datetime
import email.utils
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from collector import Collector, ConfigurationError
from collector.errors import SinkDenied, SinkRefused, SinkUnavailable
from collector.events import PageNavigation
from collector.sinks import Batch, Delivery, HttpSink, Rejection
from tests.collector.doubles import Answer, App
from tests.servers import free_port

METRIC = PageNavigation("cnbc", "https://host/ü", 150, True, 0, None, None, 1_702_214_400_000)
BATCH = Batch("batch-1", (METRIC,))


@pytest.fixture
def sinks() -> Iterator[list[HttpSink]]:
    """Sinks put here are closed when the test ends."""
    made: list[HttpSink] = []
    yield made
    for sink in made:
        sink.close()


def send_to(app: App, sinks: list[HttpSink], batch: Batch = BATCH, timeout_s: float = 10) -> Delivery:
    sinks.append(HttpSink(app.url, timeout_s=timeout_s))
    return sinks[-1].send(batch)


def test_a_batch_travels_as_the_specification_says(sinks: list[HttpSink]) -> None:
    with App() as app:
        sinks.append(HttpSink(f"{app.url}/", token="s3cr3t"))
        assert sinks[0].send(BATCH) == Delivery(1, False)
        (request,) = app.requests
    assert request["path"] == "/api/ingest"
    assert request["headers"]["Authorization"] == "Bearer s3cr3t"
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["body"] == {
        "batchId": "batch-1",
        "metrics": [
            {
                "type": "page_navigation",
                "scraperSource": "cnbc",
                "url": "https://host/ü",
                "navigationDurationMs": 150,
                "retryCount": 0,
                "success": True,
                "error": None,
                "recordedAt": 1_702_214_400_000,
            }
        ],
    }


def test_an_app_behind_a_prefix_is_reached(sinks: list[HttpSink]) -> None:
    with App() as app:
        sinks.append(HttpSink(f"{app.url}/team/board/"))
        sinks[0].send(BATCH)
        assert app.requests[0]["path"] == "/team/board/api/ingest"


def test_the_connection_is_kept(sinks: list[HttpSink]) -> None:
    with App() as app:
        sinks.append(HttpSink(app.url))
        for number in range(5):
            sinks[0].send(Batch(str(number), (METRIC,)))
        assert len({request["client_port"] for request in app.requests}) == 1
        sinks[0].close()


def test_a_second_delivery_is_harmless(sinks: list[HttpSink]) -> None:
    with App() as app:
        assert send_to(app, sinks) == Delivery(1, False)
        assert send_to(app, sinks) == Delivery(0, True)
        assert len(app.metrics()) == 1


def test_a_kept_connection_that_the_app_has_closed_is_replaced_at_once(sinks: list[HttpSink]) -> None:
    with App(Answer(), Answer(status=0)) as app:
        sinks.append(HttpSink(app.url))
        sinks[0].send(BATCH)
        assert sinks[0].send(Batch("batch-2", (METRIC,))) == Delivery(1, False)
        assert [request["body"]["batchId"] for request in app.requests] == ["batch-1", "batch-2", "batch-2"]


def test_an_app_that_is_down_is_unavailable() -> None:
    with pytest.raises(SinkUnavailable, match="ConnectionRefusedError"):
        HttpSink(f"http://127.0.0.1:{free_port()}").send(BATCH)


def test_a_host_that_does_not_exist_is_unavailable() -> None:
    with pytest.raises(SinkUnavailable, match=r"no-such-host\.invalid"):
        HttpSink("http://no-such-host.invalid:8050").send(BATCH)


def test_an_app_that_closes_without_an_answer_is_unavailable(sinks: list[HttpSink]) -> None:
    with App(Answer(status=0)) as app, pytest.raises(SinkUnavailable, match="RemoteDisconnected"):
        send_to(app, sinks)


def test_an_app_that_hangs_is_unavailable_after_the_time_out(sinks: list[HttpSink]) -> None:
    done = threading.Event()
    with App(Answer(wait=done)) as app:
        began_s = time.monotonic()
        with pytest.raises(SinkUnavailable, match="timed out"):
            send_to(app, sinks, timeout_s=0.2)
        assert time.monotonic() - began_s > 0.15
        done.set()


@pytest.mark.parametrize("status", [301, 404, 405, 408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_unavailable(sinks: list[HttpSink], status: int) -> None:
    with App(Answer(status=status)) as app:
        with pytest.raises(SinkUnavailable, match=str(status)) as caught:
            send_to(app, sinks)
        assert caught.value.retry_after_s is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_status_that_will_not_pass_is_refused(sinks: list[HttpSink], status: int) -> None:
    with App(Answer(status=status)) as app, pytest.raises(SinkRefused, match=str(status)):
        send_to(app, sinks)


def test_a_refusal_says_what_the_app_says(sinks: list[HttpSink]) -> None:
    with App(Answer(status=400, body={"error": "batchId is missing\ud800"})) as app:
        with pytest.raises(SinkRefused, match="batchId is missing") as caught:
            send_to(app, sinks)
        str(caught.value).encode()


def test_a_wrong_token_says_what_to_do(sinks: list[HttpSink]) -> None:
    for status in (401, 403):
        with App(Answer(status=status)) as app, pytest.raises(SinkDenied, match=r"token|403") as caught:
            send_to(app, sinks)
        assert caught.value.retry_after_s == 60


def test_retry_after_is_read_in_seconds(sinks: list[HttpSink]) -> None:
    with App(Answer(status=429, headers={"Retry-After": "7"})) as app:
        with pytest.raises(SinkUnavailable) as caught:
            send_to(app, sinks)
        assert caught.value.retry_after_s == 7.0


def test_retry_after_is_read_as_a_date(sinks: list[HttpSink]) -> None:
    then = datetime.datetime.now().astimezone() + datetime.timedelta(seconds=100)
    with App(Answer(status=503, headers={"Retry-After": email.utils.format_datetime(then)})) as app:
        with pytest.raises(SinkUnavailable) as caught:
            send_to(app, sinks)
        assert caught.value.retry_after_s == pytest.approx(100, abs=60)


def test_a_retry_after_without_sense_is_ignored(sinks: list[HttpSink]) -> None:
    with App(Answer(status=503, headers={"Retry-After": "soon"})) as app:
        with pytest.raises(SinkUnavailable) as caught:
            send_to(app, sinks)
        assert caught.value.retry_after_s is None


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"[]", b"\xff", b"[" * 100_000, {"accepted": "1"}])
def test_an_answer_that_no_app_gives_is_unavailable(sinks: list[HttpSink], body: object) -> None:
    with App(Answer(body=body)) as app, pytest.raises(SinkUnavailable, match="answered 202"):
        send_to(app, sinks)


def test_an_endless_answer_is_not_read_to_its_end(sinks: list[HttpSink]) -> None:
    with App(Answer(body=b" " * (3 << 20))) as app:
        with pytest.raises(SinkUnavailable):
            send_to(app, sinks)
        assert sinks[0].send(BATCH).duplicate


def test_rejected_metrics_are_told(sinks: list[HttpSink]) -> None:
    said = {
        "accepted": 1,
        "rejected": [
            {"index": 1, "field": "url", "message": "must be a string"},
            {"index": "x", "field": None},
            "nonsense",
        ],
    }
    with App(Answer(status=422, body=said)) as app:
        delivery = send_to(app, sinks)
    assert delivery.accepted == 1
    assert delivery.rejected[0] == Rejection(1, "url", "must be a string")
    assert [rejection.index for rejection in delivery.rejected[1:]] == [-1, -1]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8050",
        "localhost",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host:port",
        "http://ann:pw@host",
        "http://host/?token=1",
        "http://" + "a" * 70 + ".example",
        "http://host/a b",
        5,
    ],
)
def test_an_address_that_cannot_work_is_said_at_once(collector: Collector, url: str) -> None:
    with pytest.raises(ConfigurationError, match="url must look like"):
        collector.configure(url=url)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), "5", None, True])
def test_a_time_out_that_cannot_work_is_said_at_once(collector: Collector, timeout_s: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout_s must be"):
        collector.configure(url="http://127.0.0.1:8050", timeout_s=timeout_s)


@pytest.mark.parametrize("token", ["", " ", "a\nb", "tökén", 5])
def test_a_token_that_cannot_travel_is_said_at_once(collector: Collector, token: Any) -> None:
    with pytest.raises(ConfigurationError, match="token"):
        collector.configure(url="http://127.0.0.1:8050", token=token)


def test_metrics_recorded_while_the_app_is_down_arrive_once_it_is_up(collector: Collector) -> None:
    port = free_port()
    collector.configure(url=f"http://127.0.0.1:{port}", batch_size=10, retry_base_s=0.01, retry_cap_s=0.05)
    for number in range(95):
        collector.record_page_navigation("cnbc", url=f"https://host/{number}", navigation_duration_ms=1)
    assert not collector.flush(timeout_s=0.1)
    with App(port=port) as app:
        assert collector.flush(timeout_s=90)
        assert [metric["url"] for metric in app.metrics()] == [f"https://host/{number}" for number in range(95)]
        collector.close()
    assert collector.get_metrics_stats()["dropped"] == 0


def test_a_batch_whose_answer_was_lost_is_stored_once(collector: Collector) -> None:
    answers = [Answer(status=503, store=True), Answer(status=500, store=True)]
    with App(*answers) as app:
        collector.configure(url=app.url, batch_size=5, flush_interval_s=3600, retry_base_s=0.001)
        for _ in range(5):
            collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=1)
        app.wait_for_requests(3)
        assert collector.flush()
        assert len({request["body"]["batchId"] for request in app.requests}) == 1
        assert len(app.metrics()) == 5
        collector.close()
    stats = collector.get_metrics_stats()
    assert (stats["flushed"], stats["dropped"], stats["retries"]) == (5, 0, 2)


def test_a_busy_app_is_left_alone_as_long_as_it_asks(collector: Collector) -> None:
    with App(Answer(status=429, headers={"Retry-After": "1"})) as app:
        collector.configure(url=app.url, retry_base_s=0.001)
        began_s = time.monotonic()
        collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=1)
        app.wait_for_requests(1)
        assert collector.flush(timeout_s=90)
        assert time.monotonic() - began_s >= 1
        collector.close()


def test_the_app_keeps_the_good_ones_and_the_others_are_counted(collector: Collector) -> None:
    said = {"accepted": 2, "rejected": [{"index": 1, "field": "url", "message": "must be nice"}]}
    with App(Answer(status=422, body=said)) as app:
        collector.configure(url=app.url, flush_interval_s=3600)
        for _ in range(3):
            collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=1)
        assert not collector.flush()
        collector.close()
    stats = collector.get_metrics_stats()
    assert stats["flushed"] == 2
    assert stats["dropped_by_reason"] == {"rejected": 1}
    assert stats["last_error"] == "rejected: url: must be nice"


def test_closing_the_collector_closes_its_connection(collector: Collector) -> None:
    with App() as app:
        collector.configure(url=app.url)
        collector.record_page_navigation("cnbc", url="https://host/", navigation_duration_ms=1)
        assert collector.flush()
        assert collector.close() == 0  # an open socket would be a ResourceWarning, which is an error here


def test_a_batch_too_large_for_one_body_comes_as_several_which_are_the_same_again(collector: Collector) -> None:
    with App(Answer(), Answer(status=503)) as app:  # the second part has to come again, and the first with it
        collector.configure(url=app.url, batch_size=2000, flush_interval_s=3600, retry_base_s=0.001, retry_cap_s=0.01)
        labels = {f"{number}-{'k' * 40}": "v" * 200 for number in range(16)}
        for number in range(1500):
            collector.record_page_navigation(
                "cnbc", url=f"https://host/{number}", navigation_duration_ms=1, labels=labels
            )
        assert collector.flush(90)
        bodies = [request["body"] for request in app.requests]
        assert all(len(json.dumps(body)) < 4 << 20 for body in bodies)
        assert len(app.stored) == 2 < len(bodies)
        assert [metric["url"] for metric in app.metrics()] == [f"https://host/{number}" for number in range(1500)]
        assert collector.get_metrics_stats()["flushed"] == 1500


def test_what_a_proxy_finds_too_large_comes_in_parts_and_one_that_is_itself_too_large_costs_no_other(
    sinks: list[HttpSink],
) -> None:
    whole = Batch("batch", tuple(dataclasses.replace(METRIC, navigation_duration_ms=number) for number in range(4)))
    too_large = Answer(status=413, body=b"<html>")
    # The batch, its first half, the first of that, the second of that, the other half.
    with App(too_large, too_large, Answer(), too_large) as app:
        delivery = send_to(app, sinks, whole)
        assert (delivery.accepted, [no.index for no in delivery.rejected]) == (3, [1])
        assert [metric["navigationDurationMs"] for metric in app.metrics()] == [0, 2, 3]
        assert [request["body"]["batchId"] for request in app.requests] == [
            "batch", "batch0", "batch00", "batch01", "batch1",
        ]  # fmt: skip


def test_halves_are_the_same_each_time_and_hold_everything() -> None:
    batch = BATCH
    whole = Batch(batch.batch_id, batch.metrics * 3)
    first, second = whole.halves()
    assert (first, second) == whole.halves()
    assert first.events + second.events == whole.events
    assert len({first.batch_id, second.batch_id, whole.batch_id}) == 3
