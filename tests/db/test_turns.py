"""Turns: what waits together is done together, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from db.turns import TurnLostError, Turns

Outcome = str | Exception


class Job:
    """Notes its groups; the first one goes on when `go_on` is set."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.began, self.go_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[str], _hand_over: Callable[[], None]) -> list[Outcome]:
        self.groups.append(list(items))
        if len(self.groups) == 1:
            self.began.set()
            assert self.go_on.wait(90)
        if "stop" in items:
            raise SystemExit
        return [ValueError(item) if item == "bad" else item.upper() for item in items]


class Busy:
    """Turns for one at a time, the first of which is held; then what is sent waits."""

    def __init__(self) -> None:
        self.job = Job()
        self.turns: Turns[str, str] = Turns(self.job, workers=1, most_weight=10)
        self.threads: list[threading.Thread] = []
        self.outcomes: dict[str, Any] = {}
        self._start("first", 1)
        assert self.job.began.wait(90)

    def _start(self, item: str, weight: int) -> None:
        def run() -> None:
            try:
                self.outcomes[item] = self.turns.do(item, weight=weight)
            except (ValueError, TurnLostError, SystemExit) as exc:
                self.outcomes[item] = exc

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def add(self, item: str, weight: int = 1) -> None:
        before = self.turns.waiting
        self._start(item, weight)
        while self.turns.waiting == before:
            self.threads[-1].join(0.001)

    def finish(self) -> list[list[str]]:
        self.job.go_on.set()
        for thread in self.threads:
            thread.join(90)
        return self.job.groups


def test_one_alone_is_done_at_once() -> None:
    job = Job()
    job.go_on.set()
    assert Turns(job, workers=1, most_weight=10).do("a", weight=1) == "A"


def test_what_waits_is_done_together_in_its_order_and_each_has_its_own_outcome() -> None:
    busy = Busy()
    for item in ("a", "bad", "c"):
        busy.add(item)
    assert busy.finish() == [["first"], ["a", "bad", "c"]]
    assert isinstance(busy.outcomes.pop("bad"), ValueError)
    assert busy.outcomes == {"first": "FIRST", "a": "A", "c": "C"}


def test_a_group_is_no_heavier_than_it_may_be() -> None:
    busy = Busy()
    for item, weight in (("a", 6), ("b", 4), ("c", 1), ("d", 50), ("e", 1)):
        busy.add(item, weight)
    assert busy.finish() == [["first"], ["a", "b"], ["c"], ["d"], ["e"]]


def test_the_next_group_begins_when_the_job_hands_over() -> None:
    second_began, first_may_end = threading.Event(), threading.Event()

    def job(items: Sequence[str], hand_over: Callable[[], None]) -> list[str]:
        if items[0] == "first":
            assert first_may_end.wait(90)
            hand_over()
            assert second_began.wait(90)
        else:
            second_began.set()
        return list(items)

    turns: Turns[str, str] = Turns(job, workers=1, most_weight=10)
    threads = [threading.Thread(target=turns.do, args=(item,), kwargs={"weight": 1}) for item in ("first", "second")]
    threads[0].start()
    threads[1].start()
    first_may_end.set()
    for thread in threads:
        thread.join(90)
    assert second_began.is_set()


def test_when_the_one_who_does_it_is_stopped_the_others_are_told_and_the_next_go_on() -> None:
    busy = Busy()
    busy.add("stop")
    busy.add("with it")
    busy.finish()
    assert isinstance(busy.outcomes["stop"], SystemExit)
    assert isinstance(busy.outcomes["with it"], TurnLostError)
    assert busy.turns.do("later", weight=1) == "LATER"
