"""The System page: what the program says of itself, whether or not there is a fleet or a database."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from components.content import Content
from components.view import View
from db.health import StoreHealth
from db.vitals import ChannelVitals, Vitals
from pages import SYSTEM, find
from pages.page import Rows
from tests.pages.memory_queries import NOW_MS, MemoryQueries
from tests.pages.tree import components_of, ids_of

BUSY = Vitals(
    process_id=4711,
    started_at_ms=NOW_MS - 90_000,
    memory_bytes=187_000_000,
    channel=ChannelVitals(
        connections=1_203, viewers=12, views=4, subscriptions=2_400, frames_per_s=1_234.56, bytes_per_s=3_000_000,
        outbox_high_water_bytes=1_048_576, send_p99_ms=4.04, lag_p99_ms=1.2, dropped={"frames: the outbox was full": 7},
        refused={"rare": 1, "often": 20}, ended={},
    ),
    store=StoreHealth(rows_stored=5_000, batches_stored=60, duplicates=2, rows_rejected=3),
)  # fmt: skip


def shown(vitals: Vitals, search: str = "") -> Content:
    queries = MemoryQueries()
    queries.tell_vitals(lambda: vitals)
    content = SYSTEM.numbers(queries, View.parse("/system", search), NOW_MS)
    layout = SYSTEM.layout(View.parse("/system", search), content)
    there = Counter(ids_of(layout))
    assert set(content) <= set(there)
    assert max(there.values()) == 1
    for component in components_of(layout):
        for name, value in content.get(getattr(component, "id", ""), {}).items():
            assert getattr(component, name) == value
    return content


def text(content: Content, name: str) -> str:
    return str(content[f"system-{name}"]["children"])


def test_its_path_leads_to_it() -> None:
    assert find("/system") is SYSTEM
    assert SYSTEM.path not in {"/", "/scrapers/"}


def test_every_figure_stands_there_as_people_read_it() -> None:
    content = shown(BUSY)
    said = text(content, "process").replace("\u00a0", " ")
    assert said == "process 4711 · started 21 Nov 2026 22:30 UTC · up 1 min · 187 MB of memory"
    assert [text(content, name) for name in ("viewers", "connections", "subscriptions", "views")] == [
        "12", "1,203", "2,400", "4",
    ]  # fmt: skip
    assert text(content, "frames") == "1,235/s"
    assert text(content, "bytes").replace("\u00a0", " ") == "3 MB/s"
    assert text(content, "send").replace("\u00a0", " ") == "4.0 ms"
    assert text(content, "send-change").replace("\u00a0", " ") == "loop late 1.2 ms"
    assert text(content, "stored") == "5,000"
    assert text(content, "batches-change") == "2 came again"


def test_reasons_are_counted_most_first_and_none_is_said_so() -> None:
    content = shown(BUSY)
    assert content["system-refused"]["data"]["body"] == [["often", "20"], ["rare", "1"]]
    assert content["system-ended"]["data"]["body"] == [["Nothing", "0"]]


def test_before_anything_was_sent_there_is_no_percentile() -> None:
    content = shown(Vitals())
    assert (text(content, "send"), text(content, "send-change")) == ("–", "")


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (StoreHealth(), "Stores"),
        (StoreHealth(unwritable_since_ms=NOW_MS), "Full or read-only"),
        (StoreHealth(reachable=False, unreachable_since_ms=NOW_MS), "Unreachable"),
    ],
)
def test_the_state_of_the_database_is_told(store: StoreHealth, says: str) -> None:
    content = shown(replace(BUSY, store=store))
    assert text(content, "database") == says
    assert ("bad" in content["system-database-change"]["className"]) == (says != "Stores")


def test_whatever_the_address_says_the_page_is_there_and_the_notice_tells_what_was_wrong() -> None:
    assert "banana" in text(shown(BUSY, "?from=banana"), "notice")
    assert shown(BUSY, "?from=now-24h&source=x&live=0")["system-frames"] == shown(BUSY)["system-frames"]


def test_the_counts_can_be_exported() -> None:
    queries = MemoryQueries()
    queries.tell_vitals(lambda: BUSY)
    rows = SYSTEM.exports["system-channel"](queries, View("/system"), NOW_MS)
    assert isinstance(rows, Rows)
    assert rows.rows == (
        ("dropped", "frames: the outbox was full", 7), ("refused", "often", 20), ("refused", "rare", 1),
    )  # fmt: skip
