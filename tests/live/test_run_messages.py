"""What is told about runs travels on the public channel as metrics do: on a source of its own, and on `*`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from collector.events import Event, to_wire
from live.carried import new_metrics, outgoing
from live.protocol import MAX_SOURCE_CHARS, topic
from live.stream import Message
from tests.db.samples import navigation, run, told
from tests.live.conftest import LiveServer
from tests.live.speaking import Connect, subscribed


@dataclass(frozen=True)
class Commit:
    key: str
    metrics: tuple[Event, ...]


def test_each_event_has_its_source_and_no_name_is_too_long_for_it() -> None:
    assert [topic(event) for event in (navigation("a"), run("a"), told(name="a"))] == ["a", "scheduler:a", "run:a"]
    assert len(topic(told(name="x" * 50))) <= MAX_SOURCE_CHARS


def test_who_follows_a_run_and_who_follows_everything_hears_of_it(connect: Connect, live_server: LiveServer) -> None:
    own, all = subscribed(connect, "run:nightly"), subscribed(connect, "*")
    live_server.channel.publish([told(), navigation("a"), told("run-2", name="other", state="lost")])
    heard = own.hear_type("metrics_batch")
    assert (heard["scraperSource"], heard["count"], heard["metrics"]) == ("run:nightly", 1, [to_wire(told())])
    sources = [all.hear_type("metrics_batch")["scraperSource"] for _ in range(3)]
    assert sources == ["run:nightly", "a", "run:other"]


def test_runs_come_through_redis_as_they_were_also_lost_ones() -> None:
    events = (told(error="näh"), told("run-2", state="lost", expected_items=None), navigation("nightly"))
    found: list[Any] = []
    for place, batch in enumerate(outgoing([Commit("1:1", events)])):
        message = Message(
            b"1-0", "era", place, 0, 0, batch.source, 1, batch.count, batch.timestamp_ms, batch.keys, batch.metrics
        )
        found += new_metrics(message, lambda _key: True)
    assert found == list(events)
