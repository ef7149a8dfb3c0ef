"""What the alert tables keep: settings with their secrets, alerts written all or nothing, by one process at a time."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy.engine import Engine

from db.alert_lease import AlertLease, LeaseLost
from db.alert_outbox import Outbox
from db.alert_rows import Changes, DeliveryRow, HistoryRow, StateRow
from db.alert_settings import AlertSettings
from db.alert_store import AlertStore
from db.engine import begin_writing
from db.errors import ChangedMeanwhile
from db.state import ALERT_LEASE_MS, write_state

NOW_MS = 1_714_564_800_000
STATE = StateRow("low", "shop", "firing", NOW_MS, NOW_MS, 12.5, {"owed": "", "facts": {"domain": "shop.example"}})
DELIVERY = DeliveryRow(NOW_MS, "ops", "low", "g1", "firing", {"what": "firing", "ü": "✓"})


@pytest.fixture
def lease(engine: Engine) -> AlertLease:
    found = AlertLease(engine, 7)
    assert found.take()
    return found


def run_out(engine: Engine) -> None:
    """Let a lease run out without waiting for it."""
    with begin_writing(engine) as connection:
        write_state(connection, ALERT_LEASE_MS, 1)


def test_settings_are_read_as_they_were_written(engine: Engine) -> None:
    settings = AlertSettings(engine, clock_ms=lambda: NOW_MS)
    before = settings.turns()
    settings.put("rules", "low", {"name": "Low ✓", "threshold": 80.5}, by="ana")
    settings.put("rules", "low", {"name": "Lower"}, by="bob")
    (row,) = settings.all("rules")
    assert (row.id, row.document, row.updated_at_ms, row.updated_by) == ("low", {"name": "Lower"}, NOW_MS + 1, "bob")
    assert settings.turns()[0] == before[0] + 2
    assert settings.delete("rules", "low")
    assert not settings.delete("rules", "low")
    assert settings.all("rules") == ()
    with pytest.raises(ValueError, match="1 to 64"):
        settings.put("rules", "", {}, by="ana")


def test_of_two_who_change_a_setting_in_the_same_millisecond_the_second_is_told(engine: Engine) -> None:
    # One settings object each, as two processes have.
    ana, bob = (AlertSettings(engine, clock_ms=lambda: NOW_MS) for _ in range(2))
    ana.put("rules", "low", {"threshold": 80}, by="ana", known_ms=0)
    (seen,) = bob.all("rules")
    start, told = threading.Barrier(2), list[ChangedMeanwhile]()

    def save(settings: AlertSettings, name: str) -> None:
        start.wait(60)
        try:
            settings.put("rules", "low", {"threshold": name}, by=name, known_ms=seen.updated_at_ms)
        except ChangedMeanwhile as exc:
            told.append(exc)

    for _ in range(5):
        told.clear()
        (seen,) = ana.all("rules")
        turn = ana.turns()[0]
        both = [threading.Thread(target=save, args=pair) for pair in ((ana, "ana"), (bob, "bob"))]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(60)
        (row,) = ana.all("rules")
        assert [exc.by for exc in told] == [row.updated_by]
        assert row.document == {"threshold": row.updated_by}
        assert (row.updated_at_ms, ana.turns()[0]) == (seen.updated_at_ms + 1, turn + 1)
    with pytest.raises(ChangedMeanwhile):
        bob.put("rules", "low", {}, by="bob", known_ms=0)  # it must not be there
    ana.delete("rules", "low")
    with pytest.raises(ChangedMeanwhile):
        bob.put("rules", "low", {}, by="bob", known_ms=row.updated_at_ms)
    assert ana.all("rules") == ()


def test_secret_of_a_channel_is_kept_apart_and_stays_when_it_is_not_given(engine: Engine) -> None:
    settings = AlertSettings(engine)
    settings.put("channels", "ops", {"name": "Ops"}, by="ana", secret="https://hooks.example/T0KEN")
    settings.put("channels", "ops", {"name": "Operators"}, by="ana")
    (row,) = settings.all("channels")
    assert row.has_secret
    assert "T0KEN" not in repr(row)
    assert settings.secret("ops") == "https://hooks.example/T0KEN"
    settings.put("channels", "ops", {"name": "Operators"}, by="ana", secret="")
    assert not settings.all("channels")[0].has_secret
    assert settings.secret("nobody") == ""


def test_alerts_are_written_with_what_happened_and_what_is_told(engine: Engine, lease: AlertLease) -> None:
    store = AlertStore(engine)
    happened = HistoryRow(NOW_MS, "low", "shop", "firing", {"value": 12.5})
    store.write(lease, Changes((STATE,), (), (happened,), (DELIVERY,)), evaluated_at_ms=NOW_MS)
    assert store.states() == (STATE,)
    (row,) = store.history(NOW_MS, NOW_MS + 1)
    assert replace(row, id=0) == happened
    (sent,) = Outbox(engine, clock_ms=lambda: NOW_MS).due()
    assert replace(sent, id=0) == DELIVERY
    assert lease.evaluated_ms() == NOW_MS
    store.write(lease, Changes(gone=(("low", "shop"), ("low", "other"))), evaluated_at_ms=NOW_MS + 1)
    assert store.states() == ()


def test_history_is_told_newest_first_by_rule_and_by_what_happened(engine: Engine, lease: AlertLease) -> None:
    store = AlertStore(engine)
    rows = tuple(
        HistoryRow(NOW_MS + number, rule, "", what, {})
        for number, (rule, what) in enumerate([("a", "firing"), ("b", "firing"), ("a", "resolved")])
    )
    store.write(lease, Changes(history=rows), evaluated_at_ms=NOW_MS)
    assert [row.at_ms - NOW_MS for row in store.history(NOW_MS, NOW_MS + 10)] == [2, 1, 0]
    assert [row.at_ms - NOW_MS for row in store.history(NOW_MS, NOW_MS + 10, rule_id="a")] == [2, 0]
    assert [row.at_ms - NOW_MS for row in store.history(NOW_MS, NOW_MS + 10, whats=("resolved",))] == [2]
    assert store.forget_before(NOW_MS + 2) == 2
    assert store.forget_before(NOW_MS + 2) == 0


def test_one_holds_the_lease_until_it_runs_out(engine: Engine, lease: AlertLease) -> None:
    other = AlertLease(engine, 8)
    assert not other.take()
    assert lease.take()  # renewed
    run_out(engine)
    assert other.take()
    assert not lease.take()
    other.give_up()
    assert lease.take()


def test_lease_that_ends_far_in_the_future_counts_for_nothing(engine: Engine, lease: AlertLease) -> None:
    with begin_writing(engine) as connection:
        write_state(connection, ALERT_LEASE_MS, 1 << 45)  # the clock was set back since
    assert AlertLease(engine, 8).take()


def test_who_lost_the_lease_writes_nothing(engine: Engine, lease: AlertLease) -> None:
    run_out(engine)
    assert AlertLease(engine, 8).take()
    store = AlertStore(engine)
    with pytest.raises(LeaseLost):
        store.write(lease, Changes((STATE,), (), (), (DELIVERY,)), evaluated_at_ms=NOW_MS)
    assert store.states() == ()
    assert Outbox(engine).newest() == ()


def test_delivery_is_tried_again_and_given_up_in_the_end(engine: Engine) -> None:
    now = [NOW_MS]
    outbox = Outbox(engine, clock_ms=lambda: now[0])
    outbox.add([DELIVERY, replace(DELIVERY, channel_id="chat", next_at_ms=NOW_MS + 5_000)])
    (first,) = outbox.due()
    outbox.failed(first.id, "503", next_at_ms=NOW_MS + 1_000)
    assert outbox.due() == ()
    assert outbox.next_due_ms() == NOW_MS + 1_000
    now[0] += 10_000
    assert [row.channel_id for row in outbox.due()] == ["ops", "chat"]
    outbox.failed(first.id, "x" * 1_000, next_at_ms=None)
    (dead,) = outbox.newest(("dead",))
    assert (dead.attempts, len(dead.last_error or "")) == (2, 500)
    outbox.retry(first.id)
    outbox.sent(first.id)
    assert [(row.channel_id, row.state, row.sent_at_ms) for row in outbox.newest()] == [
        ("chat", "pending", None), ("ops", "sent", now[0]),
    ]  # fmt: skip


def test_ten_thousand_alerts_are_written_at_once(engine: Engine, lease: AlertLease) -> None:
    store = AlertStore(engine)
    states = tuple(replace(STATE, key=f"shop-{number:05}") for number in range(10_000))
    store.write(lease, Changes(states), evaluated_at_ms=NOW_MS)
    assert len(store.states()) == 10_000
    store.write(lease, Changes(gone=tuple(("low", row.key) for row in states)), evaluated_at_ms=NOW_MS)
    assert store.states() == ()
