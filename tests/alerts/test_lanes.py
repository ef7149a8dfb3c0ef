"""One channel's way out, on a clock that a test moves: retries, dead letters, pace, order, and what others decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from alerts.channels import Channel, ChannelSecret
from alerts.delivery.attempt import Attempt, Hanging
from alerts.delivery.lane import Lane
from alerts.delivery.pacing import MOST_ATTEMPTS, TokenBucket, rest_after, wait_after
from alerts.delivery.parcel import Parcel
from db.alert_outbox import Outbox
from db.engine import make_engine
from db.migrate import upgrade
from tests.alerts.samples import AT_MS, notice, row

OPS = Channel(id="ops", name="Ops", kind="webhook", per_minute=60, burst=5)
DOWN = Attempt(False, "no connection: Connection refused")
REFUSED = Attempt(False, "answered 400", permanent=True)


class Line:
    """A lane over a real outbox, and a receiver that answers as it is told."""

    def __init__(self, engine: Engine) -> None:
        self.now_ms = AT_MS
        self.parcels: list[Parcel] = []
        self.answers: list[Attempt] = []
        self.judge: Callable[[Parcel], Attempt] = lambda _parcel: Attempt(True)
        self.leads = True
        self.during: Callable[[], object] = lambda: None
        self.outbox = Outbox(engine, clock_ms=lambda: self.now_ms)
        self.lane = self.new_lane()

    def new_lane(self) -> Lane:
        lane = Lane(
            "ops",
            self.outbox,
            self.send,
            may_send=lambda: self.leads,
            clock_ms=lambda: self.now_ms,
            monotonic_s=lambda: self.now_ms / 1000,
        )
        lane.set(OPS, ChannelSecret("http://receiver.example/t0ken", "k" * 16))
        return lane

    def send(self, parcel: Parcel, secret: ChannelSecret, *, hanging: Hanging, late: Any) -> Attempt:
        self.parcels.append(parcel)
        self.during()
        return self.answers.pop(0) if self.answers else self.judge(parcel)

    def add(self, *groups: str, **changes: Any) -> None:
        told = [notice(group_key=group, at_ms=self.now_ms, **changes) for group in groups]
        self.outbox.add([row(told=one) for one in told])

    def run(self) -> None:
        """Do what the service does when it looks: let the lane send all that may go now."""
        self.lane.start()
        self.lane.join(60)
        assert not self.lane.busy

    def sent(self) -> list[list[str]]:
        """Return the groups of the notifications of every message that was tried."""
        return [[one.notice.group_key for one in parcel.told] for parcel in self.parcels]

    def states(self) -> list[str]:
        return [row.state for row in reversed(self.outbox.newest())]


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    engine = make_engine(url=f"sqlite:///{tmp_path / 'metrics.db'}")
    upgrade(engine)
    yield Line(engine)
    engine.dispose()


@pytest.fixture
def line_anywhere(engine: Engine) -> Line:
    return Line(engine)


def test_what_waits_is_sent_once_in_its_order(line: Line) -> None:
    line.add("a", "b")
    line.run()
    line.run()
    assert line.sent() == [["a"], ["b"]]
    assert line.states() == ["sent", "sent"]
    assert (line.lane.stats.sent, line.lane.stats.last_sent_ms) == (2, AT_MS)
    assert len({one.id for parcel in line.parcels for one in parcel.told}) == 2


def test_a_channel_that_is_down_is_asked_less_and_less_and_gets_everything_when_it_is_back(line_anywhere: Line) -> None:
    line = line_anywhere
    line.judge = lambda _parcel: DOWN
    line.add("a", "b", "c", "d")
    for _ in range(600):
        line.run()
        line.now_ms += 1_000
    tried = len(line.parcels)
    assert 10 <= tried <= 4 * 8  # 5, 10, 20, 40, 80, 160, 320 s after each other, for each of the four
    assert line.states() == ["failed"] * 4
    assert {row.last_error for row in line.outbox.newest()} == {"no connection: Connection refused"}
    line.judge = lambda _parcel: Attempt(True)
    while line.states() != ["sent"] * 4:
        line.run()
        line.now_ms += 1_000
        assert line.now_ms < AT_MS + 3_600_000
    # As soon as one got through, the others don't wait any longer.
    rows = line.outbox.newest()
    assert max(row.sent_at_ms or 0 for row in rows) - min(row.sent_at_ms or 0 for row in rows) < 2_000


def test_a_repeat_has_the_same_id_and_says_which_attempt_it_is(line: Line) -> None:
    line.answers = [DOWN]
    line.add("a")
    line.run()
    line.now_ms += 10_000
    line.run()
    first, second = line.parcels
    assert first.told[0].id == second.told[0].id == first.id == second.id
    assert (first.attempt, second.attempt) == (1, 2)


def test_after_so_many_attempts_a_notification_is_a_dead_letter_that_can_be_sent_again(line: Line) -> None:
    line.judge = lambda _parcel: DOWN
    line.add("a")
    for _ in range(MOST_ATTEMPTS):
        line.now_ms += 3_600_000
        line.run()
    assert line.states() == ["dead"]
    assert len(line.parcels) == MOST_ATTEMPTS
    assert line.lane.stats.dead == 1
    line.now_ms += 86_400_000
    line.run()
    assert len(line.parcels) == MOST_ATTEMPTS
    line.outbox.retry(line.outbox.newest()[0].id)
    line.answers = [DOWN, Attempt(True)]
    line.run()
    assert line.states() == ["failed"]  # it has all its attempts again
    line.now_ms += 60_000
    line.run()
    assert line.states() == ["sent"]


def test_what_is_refused_for_good_is_a_dead_letter_at_once_and_holds_nobody_up(line: Line) -> None:
    line.answers = [REFUSED]
    line.add("a", "b")
    line.run()
    assert line.states() == ["dead", "sent"]
    assert line.outbox.newest()[-1].last_error == "answered 400"


def test_one_message_that_nobody_can_take_doesnt_hold_up_the_others(line: Line) -> None:
    line.judge = lambda parcel: DOWN if parcel.told[0].notice.group_key == "bad" else Attempt(True)
    line.add("bad", "a", "b")
    for _ in range(10):
        line.run()
        line.now_ms += 1_000
    assert line.states() == ["failed", "sent", "sent"]


def test_nothing_of_a_group_overtakes_what_was_to_be_told_before_it(line: Line) -> None:
    line.answers = [DOWN]
    line.add("a")
    line.run()
    line.now_ms += 1_500
    line.add("a", what="resolved")
    line.add("b")
    line.run()
    line.now_ms += 10_000
    line.run()
    whats = [(one.notice.group_key, one.notice.what) for parcel in line.parcels for one in parcel.told]
    assert whats == [("a", "firing"), ("b", "firing"), ("a", "firing"), ("a", "resolved")]


def test_more_than_a_channel_takes_waits_and_is_told_together(line: Line) -> None:
    line.add(*(f"g{number:02}" for number in range(30)))
    line.run()
    assert line.sent() == [["g00"], ["g01"], ["g02"], ["g03"], [f"g{number:02}" for number in range(4, 30)]]
    assert line.states() == ["sent"] * 30
    line.add("later")
    line.run()
    assert len(line.parcels) == 5
    line.now_ms += 1_000  # a token a second
    line.run()
    assert line.sent()[-1] == ["later"]
    assert (line.lane.stats.sent, line.lane.stats.messages) == (31, 6)


def test_one_of_many_that_is_refused_costs_the_others_nothing(line: Line) -> None:
    bad = "g07"
    line.judge = lambda parcel: REFUSED if any(one.notice.group_key == bad for one in parcel.told) else Attempt(True)
    line.add(*(f"g{number:02}" for number in range(10)))
    for _ in range(60):
        line.run()
        line.now_ms += 1_000
    assert line.states().count("sent") == 9
    assert [row.group_key for row in line.outbox.newest(("dead",))] == [bad]


def test_a_receiver_that_asks_for_peace_gets_it(line: Line) -> None:
    line.answers = [replace(DOWN, error="answered 429", retry_after_s=120.0)]
    line.add("a", "b")
    for _ in range(119):
        line.run()
        line.now_ms += 1_000
    assert len(line.parcels) == 1
    line.now_ms += 2_000
    line.run()
    assert line.states() == ["sent", "sent"]


def test_what_another_process_took_in_hand_isnt_sent_twice(line_anywhere: Line) -> None:
    line = line_anywhere
    line.add("a")
    other = line.new_lane()
    line.during = lambda: other.once()
    line.run()
    assert line.sent() == [["a"]]
    assert line.states() == ["sent"]


def test_who_is_killed_between_sending_and_noting_it_sends_again_and_loses_nothing(line: Line) -> None:
    class Killed(BaseException):
        """What a test raises where a process would end."""

    def kill() -> None:
        raise Killed

    line.add("a")
    line.during = kill
    with pytest.raises(Killed):
        line.lane.once()
    line.during = lambda: None
    after = line.new_lane()
    assert not after.once()  # it is in hand, for all that anybody knows
    line.now_ms += 30_000
    after.once()
    assert line.sent() == [["a"], ["a"]]
    assert line.states() == ["sent"]
    assert line.parcels[0].id == line.parcels[1].id


def test_who_doesnt_lead_any_more_sends_nothing(line: Line) -> None:
    line.add("a", "b")
    line.during = lambda: setattr(line, "leads", False)
    line.run()
    line.run()
    assert line.sent() == [["a"]]
    assert line.states() == ["sent", "pending"]


def test_a_channel_that_was_deleted_or_switched_off_leaves_dead_letters_but_tests_go_through(line: Line) -> None:
    line.lane.set(replace_channel(enabled=False), ChannelSecret("http://x", "k"))
    line.add("a")
    line.add("t", what="test")
    line.run()
    assert line.states() == ["dead", "sent"]
    line.lane.set(None, ChannelSecret())
    line.add("b")
    line.run()
    assert [row.last_error for row in line.outbox.newest(("dead",))] == [
        "the channel was deleted",
        "the channel is switched off",
    ]


def test_what_another_version_wrote_into_the_outbox_is_a_dead_letter_and_holds_nobody_up(line: Line) -> None:
    line.outbox.add([row(document={"what": "firing"}, group_key="x")])
    line.add("a")
    line.run()
    assert line.states() == ["dead", "sent"]
    assert "can't be read" in (line.outbox.newest()[-1].last_error or "")


def test_a_better_address_is_tried_at_once(line: Line) -> None:
    line.judge = lambda _parcel: replace(DOWN, retry_after_s=600.0)
    line.add("a")
    line.run()
    assert line.lane.rest_until_s > line.now_ms / 1000 + 500
    line.lane.set(OPS, ChannelSecret("http://better.example", "k" * 16))
    assert line.lane.rest_until_s == 0


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it(line: Line) -> None:
    line.answers = [DOWN]
    line.add("a")
    line.run()
    line.lane = line.new_lane()
    line.now_ms -= 86_400_000
    line.run()
    assert line.states() == ["sent"]


def test_an_attempt_that_arrives_late_isnt_made_again(line: Line) -> None:
    line.add("a")
    told: list[Any] = []

    def hangs(parcel: Parcel, secret: ChannelSecret, *, hanging: Hanging, late: Any) -> Attempt:
        told.append(late)
        return Attempt(False, "took longer than 20 s")

    line.lane._send = hangs
    line.lane.once()
    told[0](Attempt(True))
    line.now_ms += 600_000
    line.run()
    assert line.states() == ["sent"]
    assert len(told) == 1


def test_a_channel_whose_attempts_never_end_isnt_given_more_of_them(line: Line) -> None:
    line.lane.hanging.add(3)
    line.add("a")
    line.run()
    assert not line.parcels
    assert line.outbox.newest()[0].last_error == "3 earlier attempts still haven't ended"


def test_no_part_of_the_address_is_kept_with_an_error(line: Line) -> None:
    line.answers = [Attempt(False, "POST http://receiver.example/t0ken failed for t0ken")]
    line.add("a")
    line.run()
    assert "t0ken" not in (line.outbox.newest()[0].last_error or "")
    assert "t0ken" not in line.lane.stats.last_error


def test_waits_grow_with_jitter_and_end_somewhere() -> None:
    assert 3.75 <= wait_after(1) <= 6.25
    assert 7.5 <= wait_after(2) <= 12.5
    assert wait_after(60) <= 1_800 * 1.25
    assert wait_after(1, asked_s=10**9) == 3_600
    assert [rest_after(failures) for failures in (1, 2, 3, 60)] == [1, 2, 4, 60]
    assert len({wait_after(5) for _ in range(20)}) > 1


def test_a_bucket_takes_so_many_at_once_and_so_many_a_minute() -> None:
    bucket = TokenBucket(per_minute=6, burst=2)
    assert bucket.tokens(0) == 2
    bucket.take()
    bucket.take()
    assert bucket.tokens(0) == 0
    assert bucket.wait_s() == pytest.approx(10)
    assert bucket.tokens(9.9) == 0
    assert bucket.tokens(10) == 1
    assert bucket.tokens(10_000) == 2
    assert bucket.tokens(5_000) <= 2


def replace_channel(**changes: Any) -> Channel:
    return OPS.model_copy(update=changes)
