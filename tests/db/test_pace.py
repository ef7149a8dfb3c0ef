"""Steps of the maintenance are as big as their goal allows, and no smaller than helps anybody."""

from __future__ import annotations

import random

import pytest

from db.pace import Pace

pytestmark = pytest.mark.paced


class Machine:
    """A clock that moves by what steps cost: something each, something for every row, a little by chance.

    Args:
        fixed_ms: What a step costs without a row.
        row_ms: What each row adds.
        chance: Up to this share more.
    """

    def __init__(self, fixed_ms: float, row_ms: float, *, chance: float = 0.2) -> None:
        self.fixed_ms, self.row_ms, self.chance = fixed_ms, row_ms, chance
        self.now_s, self.slept_s = 0.0, 0.0
        self.took_ms: list[float] = []
        self.sizes: list[int] = []
        self._rng = random.Random(1)

    def clock_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += seconds

    def pace(self, first: int = 100, most: int = 2_000) -> Pace:
        return Pace(first, most, clock_s=self.clock_s, sleep=self.sleep)

    def delete(self, pace: Pace, rows: int) -> int:
        """Delete so many rows; return in how many steps."""
        steps = 0
        while rows > 0:
            with pace.step():
                took_ms = (self.fixed_ms + self.row_ms * pace.size) * (1 + self._rng.random() * self.chance)
                self.now_s += took_ms / 1000
                self.took_ms.append(took_ms)
                self.sizes.append(pace.size)
            rows -= self.sizes[-1]
            steps += 1
        return steps


@pytest.mark.parametrize("fixed_ms", [3.0, 12.0, 40.0])
def test_a_database_whose_commits_are_slow_is_not_asked_row_by_row(fixed_ms: float) -> None:
    machine = Machine(fixed_ms, 0.01)
    assert machine.delete(machine.pace(), 2_446) <= 50
    assert max(machine.took_ms) < 1.5 * (fixed_ms + 1.0)


@pytest.mark.parametrize("fixed_ms", [0.0, 0.1, 0.5])
def test_a_fast_database_is_taken_for_little_longer_than_a_commit_of_metrics(fixed_ms: float) -> None:
    machine = Machine(fixed_ms, 0.002)
    machine.delete(machine.pace(), 50_000)
    assert max(machine.took_ms) < 3.0
    assert max(machine.sizes) > 100


def test_rows_that_are_slow_to_delete_go_in_the_smallest_steps() -> None:
    machine = Machine(0.2, 1.0)
    machine.delete(machine.pace(), 2_000)
    assert set(machine.sizes[1:]) == {50}


def test_no_step_is_of_nothing() -> None:
    machine = Machine(50.0, 1.0)
    machine.delete(machine.pace(1, 1), 20)
    assert set(machine.sizes) == {1}


def test_others_have_the_database_for_three_quarters_of_the_time() -> None:
    machine = Machine(2.0, 0.01)
    machine.delete(machine.pace(), 5_000)
    assert machine.slept_s == pytest.approx(3 * machine.now_s)


def test_where_little_is_to_be_done_others_have_it_for_longer() -> None:
    machine = Machine(2.0, 0.01)
    machine.delete(Pace(100, 2_000, pause_share=9.0, clock_s=machine.clock_s, sleep=machine.sleep), 5_000)
    assert machine.slept_s == pytest.approx(9 * machine.now_s)
