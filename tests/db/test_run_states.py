"""Runs end up where their messages say they are, in whatever order and how often these come."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from collector.run_events import ScraperRun
from db.clock import now_ms
from db.engine import begin_writing
from db.follow import Follower
from db.lost_runs import LostRuns
from db.models import RunMessage
from db.models import ScraperRun as Told
from db.retention import cleanup
from db.run_states import RunState, keep_states, progress, run_state, silence_ms, what_counts
from db.store import Store
from tests.db.samples import NOON_MS, batch, navigation, told

ENDS = ("ok", "failed", "killed")
MESSAGES = st.lists(
    st.builds(
        told,
        run_id=st.sampled_from(["run-1", "run-2", "🦊"]),
        at_ms=st.integers(NOON_MS, NOON_MS + 3),
        state=st.sampled_from(["running", *ENDS, "lost"]),
        items_extracted=st.integers(0, 3),
    ),
    max_size=12,
)


def states(engine: Engine) -> dict[str, RunState]:
    with engine.connect() as connection:
        return {row.run_id: run_state(row) for row in connection.execute(select(*Told.__table__.c))}


def messages(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(RunMessage)) or 0


def states_in(known: dict[str, ScraperRun]) -> dict[str, int]:
    return {run_id: progress(event) for run_id, event in known.items()}


@given(MESSAGES, st.randoms())
def test_order_and_repetition_of_messages_never_matter(events: list[ScraperRun], random: Any) -> None:
    mixed = [*events, *random.sample(events, len(events) // 2)]
    random.shuffle(mixed)
    one_by_one = reduce(lambda known, event: what_counts([*known.values(), event]), mixed, dict[str, ScraperRun]())
    assert states_in(one_by_one) == states_in(what_counts(events))


@given(MESSAGES)
def test_end_counts_for_good_and_else_the_newest(events: list[ScraperRun]) -> None:
    for run_id, kept in what_counts(events).items():
        own = [event for event in events if event.run_id == run_id]
        ends = [event for event in own if event.state in ENDS]
        newest_ms = max(event.recorded_at_ms for event in ends or own)
        assert kept.recorded_at_ms == newest_ms
        assert (kept.state in ENDS) == bool(ends)
        if not ends:  # lost says the app of the newest heartbeat that it knows: a newer one takes it back
            lost = any(event.state == "lost" for event in own if event.recorded_at_ms == newest_ms)
            assert kept.state == ("lost" if lost else "running")


def test_database_keeps_what_counts_whatever_comes_first(engine: Engine) -> None:
    beginning, beat = told(at_ms=NOON_MS), told(at_ms=NOON_MS + 30_000, items_extracted=50)
    end = told(at_ms=NOON_MS + 60_000, state="failed", items_extracted=70, error="näh 🕸")
    late = told(at_ms=NOON_MS + 90_000, items_extracted=90)
    for events in ([beginning, beat, end, late], [late, end, beginning, beat], [end, late, beat, beginning]):
        with begin_writing(engine) as connection:
            connection.execute(Told.__table__.delete())
        for place, event in enumerate(events):
            with begin_writing(engine) as connection:
                keep_states(connection, [event], NOON_MS + place)
        assert states(engine) == {"run-1": RunState(end, NOON_MS + 3)}


def test_id_that_is_used_again_is_one_run_which_has_ended_until_the_next_end_is_told() -> None:
    first = told(at_ms=NOON_MS, state="ok")
    again = told(started_at_ms=NOON_MS + 10_000, at_ms=NOON_MS + 20_000)
    assert what_counts([first, again]) == {"run-1": first}  # as the docs of `collector.run` say
    end = replace(again, recorded_at_ms=NOON_MS + 30_000, state="failed")
    assert what_counts([first, again, end]) == {"run-1": end}


def test_batch_with_runs_is_stored_and_told_once(engine: Engine, store: Store) -> None:
    heard: list[ScraperRun] = []
    store.subscribe_told(heard.extend)
    sent = batch(navigation(), runs=(told(), told("run-2", state="ok")))
    assert store.send(sent).accepted == 3
    assert store.send(sent).duplicate
    assert [event.run_id for event in heard] == ["run-1", "run-2"]
    assert messages(engine) == 2
    assert {id: state.told.state for id, state in states(engine).items()} == {"run-1": "running", "run-2": "ok"}


def test_bad_message_about_a_run_costs_nothing_else(engine: Engine, store: Store) -> None:
    bad = replace(told("run-2"), state="odd")
    delivery = store.send(batch(navigation(), runs=(told("a\ud800b"), bad)))
    assert delivery.accepted == 2
    (no,) = delivery.rejected
    assert (no.index, no.field) == (2, "state")
    assert list(states(engine)) == ["a\ufffdb"]


def test_what_another_process_is_told_of_runs_is_told_here(engine: Engine, store: Store) -> None:
    other = Store(engine, clock_ms=lambda: NOON_MS)
    follower = Follower(engine, store)
    with engine.connect() as connection:
        follower.begin(connection)
    heard: list[ScraperRun] = []
    commits: list[Any] = []
    store.subscribe_told(heard.extend)
    store.subscribe_commits(commits.extend)
    sent = (told(error="why"), told("run-2", state="ok", expected_items=None, scraper_source=None))
    other.send(batch(navigation(), runs=sent))
    assert follower.poll() == 3
    assert tuple(heard) == sent
    assert [event for commit in commits for event in commit.metrics][1:] == list(sent)
    assert follower.poll() == 0


class Silence:
    """A store and what looks for lost runs, on a clock that is turned by hand."""

    def __init__(self, engine: Engine) -> None:
        self.now_ms = NOON_MS
        self.store = Store(engine, clock_ms=lambda: self.now_ms)
        self.lost = [LostRuns(engine, self.store, clock_ms=lambda: self.now_ms) for _ in range(2)]
        self.heard: list[ScraperRun] = []
        self.store.subscribe_told(self.heard.extend)

    def wait(self, seconds: int) -> int:
        """Let time pass with a look every ten seconds by each; how many runs were found to be lost?"""
        closed = 0
        for _ in range(seconds // 10):
            self.now_ms += 10_000
            closed += sum(lost.check() for lost in self.lost)
        return closed


def test_silent_run_is_lost_once_and_a_later_heartbeat_brings_it_back(engine: Engine) -> None:
    silence = Silence(engine)
    silence.store.send(batch(runs=(told(), told("run-2", state="ok"), told("slow", heartbeat_interval_ms=60_000))))
    assert silence.wait(80) == 0
    assert silence.wait(30) == 1  # three heartbeats of half a minute are over
    assert {id: state.told.state for id, state in states(engine).items()} == {
        "run-1": "lost", "run-2": "ok", "slow": "running",
    }  # fmt: skip
    assert (silence.heard[-1].run_id, silence.heard[-1].state) == ("run-1", "lost")
    assert silence.wait(30) == 0
    silence.store.send(batch(runs=(told(at_ms=NOON_MS + 30_000),)))
    assert states(engine)["run-1"].told.state == "running"
    assert silence.wait(100) == 2  # once more, with the slow one
    silence.store.send(batch(runs=(told(at_ms=NOON_MS + 60_000, state="ok"),)))
    assert states(engine)["run-1"].told.state == "ok"


def test_run_is_not_lost_while_nobody_could_hear_it(engine: Engine) -> None:
    silence = Silence(engine)
    silence.store.send(batch(runs=(told(),)))
    silence.now_ms += 3_600_000  # the app was down for an hour
    assert silence.wait(90) == 0
    assert silence.wait(20) == 1


def test_silence_is_three_heartbeats_but_a_minute_at_least() -> None:
    assert silence_ms(told(heartbeat_interval_ms=1_000)) == 60_000
    assert silence_ms(told(heartbeat_interval_ms=30_000)) == 90_000


@pytest.mark.parametrize(("days", "kept", "runs"), [(6, 1, 1), (8, 0, 1), (31, 0, 0)])
def test_messages_are_kept_as_long_as_detail_and_runs_as_long_as_minutes(
    engine: Engine, days: int, kept: int, runs: int
) -> None:
    then_ms = now_ms() - days * 86_400_000
    Store(engine, clock_ms=lambda: then_ms).send(batch(runs=(told(at_ms=then_ms, state="ok"),)))
    cleanup(engine, 7, now_ms=now_ms())
    assert (messages(engine), len(states(engine))) == (kept, runs)
