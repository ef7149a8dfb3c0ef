"""POST /api/ingest with a real database behind it: what odd texts and bytes become, and what they never do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.engine import Engine

from api.ingest import ingest_blueprint
from collector.events import Metric
from db.follow import Follower
from db.queries import Queries
from db.recent import RecentDetail
from db.results import Filter, TimeRange
from db.rollups import Rollups
from db.store import Store
from live.protocol import batch as batch_message
from tests.db.samples import NOON_MS

HOUR = TimeRange(NOON_MS, NOON_MS + 3_600_000, 60_000)


@pytest.fixture
def heard() -> list[Metric]:
    return []


@pytest.fixture
def client(engine: Engine, heard: list[Metric]) -> FlaskClient:
    store = Store(engine, clock_ms=lambda: NOON_MS)
    store.subscribe(heard.extend)
    app = Flask("ingest-to-database")
    app.register_blueprint(ingest_blueprint(store, token=None, max_bytes=8 << 20, clock_ms=lambda: NOON_MS))
    return app.test_client()


def navigation(**changes: Any) -> dict[str, Any]:
    metric = {"type": "page_navigation", "scraperSource": "a", "url": "https://a.test/", "navigationDurationMs": 150}
    return {**metric, **changes}


def post(client: FlaskClient, body: bytes | dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = client.post("/api/ingest", data=body if isinstance(body, bytes) else json.dumps(body))
    return answer.status_code, answer.get_json()


def column(engine: Engine, name: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT {name} FROM scraper_page_performance ORDER BY id")))


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test/caf%E9?q=%FF%FE",  # Latin-1, as old servers write it: kept as it is
        "https://a.test/caf%C3%A9",
        "https://a.test/%00%zz%",
        "https://münchen.example/straße?ä=ö",
        "https://xn--mnchen-3ya.example/",
        "https://a.test/\N{SPIDER WEB}\N{VARIATION SELECTOR-16}",
        "https://[::1/broken",
        "https://a.test:99999/",
        "\u202ehttps://a.test/",
    ],
)
def test_url_of_whatever_bytes_is_kept_to_the_letter(client: FlaskClient, engine: Engine, url: str) -> None:
    assert post(client, {"batchId": "b", "metrics": [navigation(url=url)]})[0] == 202
    assert column(engine, "page_url") == [url]


def test_halves_of_characters_and_nul_are_replaced_everywhere_alike(
    client: FlaskClient, engine: Engine, heard: list[Metric]
) -> None:
    odd = "a\ud800b\udfffc\x00d"
    clean = "a\ufffdb\ufffdc\ufffdd"
    metric = navigation(
        scraperSource=odd, url=f"https://a.test/{odd}", error=odd, success=False, runId=odd, labels={odd: odd}
    )
    run = {"type": "scheduler", "schedulerName": odd, "executionDurationMs": 1, "error": odd, "scraperSource": odd}
    follower_store = Store(engine)
    told: list[Metric] = []
    follower_store.subscribe(told.extend)
    follower = Follower(engine, follower_store)
    RecentDetail().load(engine, also=follower.begin)
    assert post(client, {"batchId": "b", "metrics": [metric, run]}) == (202, {"accepted": 2, "duplicate": False})
    assert column(engine, "scraper_source") == column(engine, "error") == column(engine, "run_id") == [clean]
    assert column(engine, "page_url") == [f"https://a.test/{clean}"]
    assert json.loads(column(engine, "labels")[0]) == {clean: clean}
    follower.poll()
    assert told == heard  # what is shown live is what a reload shows, and another process
    assert len(batch_message(clean, 1, heard)) > 0


def test_bytes_of_half_a_character_are_replaced_too(client: FlaskClient, engine: Engine) -> None:
    body = json.dumps({"batchId": "b", "metrics": [navigation(url="https://a.test/HALF")]}).encode()
    assert post(client, body.replace(b"HALF", b"\xed\xa0\x80"))[0] == 202
    assert column(engine, "page_url") == ["https://a.test/\ufffd"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"batchId":"b","metrics":[{"type":"page_navigation","scraperSource":"a","url":"https://a/\xe9",'
        b'"navigationDurationMs":1}]}',
        '{"batchId":"b","metrics":[]}'.encode("utf-16-le")[:-1],
        b'{"batchId":"\xff","metrics":[]}',
        b"\x00",
        b'{"batchId":"b\\u0000","metrics":[]}',
        b'{"batchId":"b\\ud800","metrics":[]}',
        b'{"batchId":"b\\u202e","metrics":[]}',
    ],
)
def test_bytes_that_are_no_text_are_refused_and_leave_nothing(client: FlaskClient, engine: Engine, body: bytes) -> None:
    status, said = post(client, body)
    assert status == 400
    assert said
    assert column(engine, "id") == []
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM ingest_batches")) == 0


def test_emoji_are_kept_counted_and_found_in_every_text(client: FlaskClient, engine: Engine) -> None:
    names = ["🕷️", "👩‍👩‍👧‍👦", "a🕸", "e\u0301", "\u00e9", "ﬁ", "fi", "ss", "ß", "İ", "i̇"]  # each another source
    metrics = [
        navigation(scraperSource=name, url=f"https://a.test/{name}", error=f"💥 {name}" * 9, success=False,
                   labels={name: name}, recordedAt=NOON_MS)
        for name in names
    ]  # fmt: skip
    assert post(client, {"batchId": "💾 1", "metrics": metrics}) == (
        202, {"accepted": len(names), "duplicate": False},
    )  # fmt: skip
    assert post(client, {"batchId": "💾 1", "metrics": metrics})[1]["duplicate"]
    rollups, recent = Rollups(engine), RecentDetail()
    rollups.run_once()
    recent.load(engine)
    queries = Queries(engine, recent, rollups=rollups, clock_ms=lambda: NOON_MS)
    assert [stats.source for stats in queries.overview(HOUR).sources] == sorted(names)
    for name in names:
        found = queries.errors_by_kind(HOUR, Filter((name,)))
        assert [(group.error, group.failures) for group in found] == [(f"💥 {name}" * 9, 1)]
        assert [event.url for event in queries.events(HOUR, Filter((name,)))] == [f"https://a.test/{name}"]
    with engine.connect() as connection:
        for table in ("scraper_metrics_minute", "scraper_metrics_hourly", "scraper_daily_summary"):
            rolled = connection.execute(text(f"SELECT scraper_source, total_navigations FROM {table}")).all()
            assert sorted(map(tuple, rolled)) == [(name, 1) for name in sorted(names)]


def test_longest_texts_of_wide_characters_are_cut_by_characters_and_said_so(
    client: FlaskClient, engine: Engine
) -> None:
    longest = navigation(scraperSource="🕷" * 50, url="🕸" * 3000, error="💥" * 5000, success=False, runId="🏃" * 64)
    too_long = navigation(scraperSource="🕷" * 51)
    status, said = post(client, {"batchId": "b", "metrics": [longest, too_long, navigation(runId="r" * 65)]})
    assert (status, said["accepted"]) == (422, 1)
    assert [(no["index"], no["field"]) for no in said["rejected"]] == [(1, "scraperSource"), (2, "runId")]
    # URLs and errors have a documented length; names are never cut, because two could become one.
    assert column(engine, "page_url") == ["🕸" * 2048]
    assert column(engine, "error") == ["💥" * 4000]
    assert column(engine, "scraper_source") == ["🕷" * 50]
