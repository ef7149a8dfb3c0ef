"""Every process knows a commit under the same key with the same metrics, whether it stored it or found it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Engine

from collector.events import Metric
from db.follow import Follower
from db.identity import database_identity
from db.ingest_log import Committed
from db.store import Store
from tests.db.samples import batch, navigation, run, scrape


def following(engine: Engine) -> tuple[Store, Follower, list[Committed]]:
    store = Store(engine)
    told: list[Committed] = []
    store.subscribe_commits(told.extend)
    follower = Follower(engine, store)
    with engine.connect() as connection:
        follower.begin(connection)
    return store, follower, told


def plain(commits: Sequence[Committed]) -> list[tuple[str, list[Metric]]]:
    return sorted((commit.key, list(commit.metrics)) for commit in commits)


def test_a_process_that_stores_and_one_that_follows_know_a_commit_by_the_same_key(engine: Engine) -> None:
    store, _, stored = following(engine)
    _, follower, found = following(engine)
    store.send(batch(navigation(), run(), scrape(), run()))
    store.send(batch(navigation("b")))
    # One of its metrics doesn't fit, so that the others are stored one by one.
    store.send(batch(navigation("c"), scrape(scrape_duration_ms=float("nan")), run(), navigation("d")))
    follower.poll()
    assert plain(found) == plain(stored)
    assert [metric for commit in stored for metric in commit.metrics] == [
        navigation(), scrape(), run(), run(), navigation("b"), navigation("c"), run(), navigation("d"),
    ]  # fmt: skip


def test_nobody_is_told_of_commits_who_doesnt_ask(engine: Engine) -> None:
    store = Store(engine)
    assert not store.says_commits
    store.send(batch(navigation()))
    store.subscribe_commits(lambda _: None)
    assert store.says_commits


def test_a_woken_follower_looks_at_once(engine: Engine) -> None:
    _, follower, found = following(engine)
    follower.start(interval_s=3600)
    try:
        Store(engine).send(batch(navigation()))
        while not found:
            follower.wake()
    finally:
        follower.stop()


def test_a_database_keeps_its_identity(engine: Engine) -> None:
    assert database_identity(engine) == database_identity(engine) > 0
