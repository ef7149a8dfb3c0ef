"""requests, httpx and aiohttp: the examples record what the shop saw; misuse is answered clearly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import collector
from collector import InvalidMetric
from collector.integrations.aiohttp import trace_config
from collector.integrations.httpx import track_client
from collector.integrations.requests import track_session
from examples import shop_aiohttp, shop_httpx, shop_requests
from examples.shop import Shop
from examples.shop_options import Item
from tests.collector.integrations.conftest import Recorded
from tests.collector.integrations.truth import check_navigations, check_run, check_scrapes, of_kind

TIMEOUT_S = 4.0  # what the silent page costs, twice with requests, which tries again
NOWHERE = "http://127.0.0.1:9/?token=abcdefgh"  # the port of "discard": nobody listens

EXAMPLES: dict[str, Callable[[str, str], list[Item]]] = {
    "requests": lambda site, source: shop_requests.scrape(site, source, timeout_s=TIMEOUT_S),
    "httpx": lambda site, source: shop_httpx.scrape(site, source, timeout_s=TIMEOUT_S),
    "httpx async": lambda site, source: asyncio.run(shop_httpx.scrape_at_once(site, source, timeout_s=TIMEOUT_S)),
    "aiohttp": lambda site, source: asyncio.run(shop_aiohttp.scrape_at_once(site, source, timeout_s=TIMEOUT_S)),
}


@pytest.mark.parametrize("source", EXAMPLES)
def test_an_example_records_what_the_shop_saw(source: str, shop: Shop, recorded: Recorded) -> None:
    items = EXAMPLES[source](shop.url, source)
    metrics = recorded()
    assert items
    check_navigations(shop, metrics, source)
    check_scrapes(shop, metrics, source)
    check_run(metrics, source)


def test_requests_counts_what_its_adapter_tried_again(recorded: Recorded) -> None:
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(total=5, connect=2, backoff_factor=0)))
        track_session(session, "requests-retries")
        with pytest.raises(requests.ConnectionError):
            session.get(NOWHERE)
    (metric,) = recorded()
    assert (metric["retryCount"], metric["success"]) == (2, False)
    assert "abcdefgh" not in str(metric)  # urllib3 tells the path with its query
    assert "token=***" in metric["error"]


def test_httpx_counts_what_its_transport_tried_again(recorded: Recorded) -> None:
    again = httpx.HTTPTransport(retries=1)
    with (
        track_client(httpx.Client(transport=again), "httpx-retries") as client,
        pytest.raises(httpx.ConnectError),
    ):
        client.get(NOWHERE)

    async def get() -> None:
        transport = httpx.AsyncHTTPTransport(retries=1)
        async with track_client(httpx.AsyncClient(transport=transport), "httpx-retries") as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(NOWHERE)

    asyncio.run(get())
    assert [(metric["retryCount"], metric["success"]) for metric in recorded()] == [(1, False), (1, False)]


def test_a_scrapers_own_trace_of_httpx_goes_on(shop: Shop, recorded: Recorded) -> None:
    heard: list[str] = []
    with track_client(httpx.Client(), "httpx-trace") as client:
        client.get(f"{shop.url}/catalogue/1", extensions={"trace": lambda event, info: heard.append(event)})
    assert "http11.receive_response_body.complete" in heard
    assert len(recorded()) == 1


def test_a_page_that_is_streamed_is_recorded_with_its_headers(shop: Shop, recorded: Recorded) -> None:
    url = f"{shop.url}/catalogue/1"
    with track_session(requests.Session(), "streamed") as session, session.get(url, stream=True) as response:
        assert response.raw.read(1)
    with track_client(httpx.Client(), "streamed") as client, client.stream("GET", url) as streamed:
        assert next(streamed.iter_raw())

    async def get() -> None:
        configs = [trace_config("streamed")]
        async with aiohttp.ClientSession(trace_configs=configs) as session, session.get(url) as pieces:
            async for _ in pieces.content.iter_chunked(100):
                pass

    asyncio.run(get())
    assert [(metric["statusCode"], metric["success"]) for metric in recorded()] == [(200, True)] * 3


def test_what_aiohttp_raises_for_a_status_keeps_the_status(shop: Shop, recorded: Recorded) -> None:
    async def get() -> None:
        configs = [trace_config("aiohttp-raises")]
        async with aiohttp.ClientSession(trace_configs=configs, raise_for_status=True) as session:
            with pytest.raises(aiohttp.ClientResponseError):
                await session.get(f"{shop.url}/catalogue/9")

    asyncio.run(get())
    (metric,) = recorded()
    assert (metric["statusCode"], metric["success"]) == (404, False)


def test_tracking_again_replaces_what_was_said_before(shop: Shop, recorded: Recorded) -> None:
    with track_session(track_session(requests.Session(), "before"), "after") as session:
        session.get(f"{shop.url}/catalogue/1")
    with track_client(track_client(httpx.Client(), "before"), "after") as client:
        client.get(f"{shop.url}/catalogue/1")
    assert [metric["scraperSource"] for metric in recorded()] == ["after", "after"]


def test_only_wanted_pages_are_recorded_with_their_labels_and_run(shop: Shop, recorded: Recorded) -> None:
    session = track_session(
        requests.Session(),
        "wanted",
        wants=lambda url: "/catalogue/4" in url,
        labels={"country": "at"},
        run_id="run-1",
    )
    with session:
        for number in (1, 4):
            session.get(f"{shop.url}/catalogue/{number}")
    assert list(of_kind(recorded(), "page_navigation", "wanted")) == ["/catalogue/4"]
    (metric,) = recorded()
    assert (metric["labels"], metric["runId"]) == ({"country": "at"}, "run-1")


def test_a_wish_that_raises_is_taken_for_a_yes(
    shop: Shop, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    with track_session(requests.Session(), "wish", wants=lambda url: 1 / 0 > 1) as session:
        for _ in range(2):
            session.get(f"{shop.url}/catalogue/1")
    assert len(recorded()) == 2
    assert len([line for line in caplog.messages if "ZeroDivisionError" in line]) == 1


@pytest.mark.parametrize("track", [track_session, track_client])
def test_something_else_than_a_client_is_refused(track: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=r"needs an? (requests|httpx)\..*, got int"):
        track(1, "source")


def test_a_wrong_name_or_option_is_refused_at_once() -> None:
    with pytest.raises(InvalidMetric, match="scraperSource"):
        track_session(requests.Session(), "")
    with pytest.raises(InvalidMetric, match="scraperSource"):
        trace_config("x" * 51)
    with pytest.raises(TypeError, match="no such option: lables; there are run_id, labels"):
        trace_config("name", lables={})  # type: ignore[call-arg]


def test_an_unconfigured_collector_is_no_reason_to_fail(shop: Shop) -> None:
    apart = collector.Collector()
    with track_session(requests.Session(), "apart", collector=apart) as session:
        assert session.get(f"{shop.url}/catalogue/1").ok
    assert apart.get_metrics_stats()["pending"] == 1
    apart.close(timeout_s=0)
