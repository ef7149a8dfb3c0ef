"""Scrapers whose app is killed, hung and cut off: every metric is stored once or counted (the long run is a bench)."""

from __future__ import annotations

from bench.chaos import chaos


def test_every_metric_of_a_fleet_is_stored_once_or_counted_whatever_happens_to_the_app() -> None:
    events = ("cut after", "refuse", "new scraper", "hang", "kill", "cut before")
    document = chaos(events, fleet=2, per_s=100, spool_max_bytes=1 << 20, seed=6)
    assert document["wrong"] == {}
    assert document["calls"] > 100
    assert set(document["events"]) == set(events)
