"""Every question over every range and filter: asked first after a start, elsewhere in the past, after each batch."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from bench.storage.copies import price_of_copying, timed_in_copy
from bench.storage.fleet import MINUTE_MS
from bench.storage.program import Program, Ticks
from bench.storage.questions import (
    FILTERS,
    FIRST_MINUTES_BACK,
    RANGES,
    WITHOUT_RANGE,
    Ask,
    is_asked,
    questions,
    questions_without_range,
    view_before,
    view_of,
)
from bench.storage.times import say, spread, wall_and_cpu_ms
from db.errors import DatabaseError

GOALS_MS: Final = {"cold": 50.0, "elsewhere": 50.0, "tick": 10.0, "warm": 10.0}  # p99 of each way of asking

# Ends of spans that nobody has asked for: two days back and more, never at a full hour.
_ODD_MINUTES = 211
_MOST_MINUTES_BACK = 6 * 24 * 60  # of the week that there is
_WARM_ASKS = 20
_NEAR = 0.5  # a first ask that took this much of its goal is measured again, as often as was asked for
_WITHOUT_FILTER = "no_filter"
_SEED = 1

Cell = tuple[str, str, str]  # range, filter, question
Times = dict[tuple[str, str], list[tuple[float, float]]]  # by way of asking and filter: wall and CPU ms of each ask


@dataclass(frozen=True, slots=True)
class Effort:
    """How often to ask.

    Args:
        starts: First asks after a start at most, one where there is no doubt.
        spans: Spans of the past at most, fewer of those that would overlap.
        ticks: Asks after a batch has landed.
        slow_ms: One that took longer isn't repeated, nor asked of longer ranges.
        filters: Names of FILTERS.
        limit_s: How long each of the three ways of asking may take; what is left then is told as not measured.
    """

    starts: int = 2
    spans: int = 3
    ticks: int = 20
    slow_ms: float = 1_500.0
    filters: tuple[str, ...] = tuple(FILTERS)
    limit_s: float = 300.0


class Asking:
    """Asks a program, and keeps what it found.

    Args:
        program: Just started.
        effort: How often.
    """

    def __init__(self, program: Program, effort: Effort) -> None:
        self._program, self._effort = program, effort
        self.found: dict[Cell, dict[str, Any]] = {}
        self.times: Times = {}
        # (filter, question): the first range that took too long, and what to say of longer ones
        self._too_slow: dict[tuple[str, str], tuple[int, str]] = {}

    def ask_cold(self) -> dict[str, float]:
        """Measure first asks, each in a copy (fork) of the program as it was just after its start and warm-up.

        The copy has everything that the program remembered then, and nothing that another question left behind. The
        database server and the system's file cache stay as warm as they are.

        Returns:
            What copying adds to a question.
        """
        with self._still():
            price = price_of_copying()
            for cell in self._cells("cold"):
                times = self._in_copy(cell, [partial(self._ask, cell)])
                while times and times[0][0] > _NEAR * GOALS_MS["cold"] and len(times) < self._effort.starts:
                    times += self._in_copy(cell, [partial(self._ask, cell)]) or []
                self._note(cell, "cold", times)
                self._say("first", cell)
        return price

    def ask_elsewhere(self) -> None:
        """Measure first asks of spans of the past, in copies of the program as it was when pages had been opened.

        A copy asks one question of several spans that have no minute in common.
        Everything was asked of the last 15 minutes before: what the first question of all has to import and to
        compile is `cold`'s to show.
        """
        now_ms = self._program.clock.now_ms
        for ask in questions(self._program.board.queries, view_of("15m", "no_filter"), now_ms).values():
            ask()
        with self._still():
            for cell in self._cells("elsewhere"):
                if cell[2] not in WITHOUT_RANGE:
                    asks = [partial(self._ask, cell, end_ms=end_ms) for end_ms in self._ends_ms(cell[0], now_ms)]
                    self._note(cell, "elsewhere", self._in_copy(cell, asks))
                    self._say("elsewhere", cell)

    def ask_ticks(self, ticks: Ticks) -> None:
        """Measure asks after each batch that landed, then with nothing new; in the running program."""
        for cell in self._cells("tick"):
            found = self.found.setdefault(cell, {})
            try:
                self._follow(cell, found, ticks)
            except DatabaseError as exc:  # the others are measured all the same
                found["not_measured"] = str(exc)
            self._say("while batches land", cell)

    def _follow(self, cell: Cell, found: dict[str, Any], ticks: Ticks) -> None:
        self._ask(cell)()  # a page was loaded; from here on it is followed
        times: list[tuple[float, float]] = []
        while len(times) < self._effort.ticks and sum(took_ms for took_ms, _ in times) < self._effort.slow_ms:
            self._program.land(*ticks.next())
            times.append(wall_and_cpu_ms(self._ask(cell)))
        found["tick"] = self._kept(cell, "tick", times)
        ask = self._ask(cell)
        again: list[tuple[float, float]] = []
        while len(again) < _WARM_ASKS and sum(took_ms for took_ms, _ in again) < self._effort.slow_ms:
            again.append(wall_and_cpu_ms(ask))
        found["warm"] = self._kept(cell, "warm", again)

    def _kept(self, cell: Cell, how: str, times: list[tuple[float, float]]) -> dict[str, float]:
        """Keep the times of some asks for the pool of all, and return what they are told as."""
        self.times.setdefault((how, cell[1]), []).extend(times)
        return spread([took_ms for took_ms, _ in times], [cpu_ms for _, cpu_ms in times])

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Make the program one that can be copied: no open connection, and no collection of what is old."""
        self._program.forget_connections()
        gc.collect()
        gc.freeze()  # or else the first collection in each copy would copy all pages
        yield
        gc.unfreeze()

    @staticmethod
    def _say(how: str, cell: Cell) -> None:
        if cell[2] == "overview":
            say(f"asked {how}: {cell[0]}, {cell[1]}")

    def _ends_ms(self, range_name: str, now_ms: int) -> list[int]:
        """Return where spans of the past end that have nothing in common, nor have those before them; one at least."""
        view = view_of(range_name, "no_filter").time_range(now_ms)
        length_min = (view.end_ms - view.start_ms) // MINUTE_MS
        step_min = max(_ODD_MINUTES, 2 * length_min + _ODD_MINUTES % 60)
        most = 1 + max(0, (_MOST_MINUTES_BACK - FIRST_MINUTES_BACK - 2 * length_min) // step_min)
        backs = range(FIRST_MINUTES_BACK, FIRST_MINUTES_BACK + min(self._effort.spans, most) * step_min, step_min)
        return [now_ms - back * MINUTE_MS for back in backs]

    def _cells(self, how: str) -> Iterator[Cell]:
        """Walk through all cells, short ranges first; those that would take too long are noted and left out.

        First asks don't hang on each other, and each takes a copy: where the time isn't enough for all, it is the
        filters that are asked of a seeded selection, not the long ranges that are left out.
        """
        end_s = time.monotonic() + self._effort.limit_s
        cells: Iterable[Cell] = self._worth_asking(of_the_past=how == "elsewhere")
        if how != "tick":
            every = list(cells)
            others = [cell for cell in every if cell[1] != _WITHOUT_FILTER]
            random.Random(_SEED).shuffle(others)
            cells = [*(cell for cell in every if cell[1] == _WITHOUT_FILTER), *others]
        for cell in cells:
            if self._is_too_slow(cell):
                continue
            if time.monotonic() < end_s:
                yield cell
            else:
                self.found.setdefault(cell, {})["not_measured"] = f"{how}: after {self._effort.limit_s:g} s"

    def _worth_asking(self, *, of_the_past: bool) -> Iterator[Cell]:
        board = self._program.board
        names = list(questions(board.queries, view_of("15m", "no_filter"), self._program.clock.now_ms))
        for name in WITHOUT_RANGE:
            yield "-", "no_filter", name
        for range_name in RANGES:
            for filter_name in self._effort.filters:
                for question in names:
                    if is_asked(range_name, filter_name, question, of_the_past=of_the_past):
                        yield range_name, filter_name, question

    def _is_too_slow(self, cell: Cell) -> bool:
        """Say whether a shorter range took too long already, and note it."""
        slow, why = self._too_slow.get(cell[1:], (len(RANGES), ""))
        if cell[0] not in RANGES or RANGES.index(cell[0]) <= slow:
            return False
        self.found.setdefault(cell, {})["not_measured"] = why
        return True

    def _ask(self, cell: Cell, *, end_ms: int | None = None) -> Ask:
        range_name, filter_name, question = cell
        queries, now_ms = self._program.board.queries, self._program.clock.now_ms
        if question in WITHOUT_RANGE:
            return questions_without_range(queries)[question]
        view = view_of(range_name, filter_name) if end_ms is None else view_before(range_name, filter_name, end_ms)
        return questions(queries, view, now_ms)[question]

    def _in_copy(self, cell: Cell, asks: Sequence[Callable[[], Ask]]) -> list[tuple[float, float]] | None:
        # A connection is open when a program has started.
        times = timed_in_copy(self._program.board.store.ping, asks, slow_ms=self._effort.slow_ms)
        longest_ms = max((took_ms for took_ms, _ in times or ()), default=0.0)
        if longest_ms > self._effort.slow_ms:
            why = f"{cell[0]} took {longest_ms:,.0f} ms already"
            slow = RANGES.index(cell[0]) if cell[0] in RANGES else 0
            if slow <= self._too_slow.get(cell[1:], (len(RANGES), ""))[0]:
                self._too_slow[cell[1:]] = slow, why
        return times

    def _note(self, cell: Cell, how: str, times: list[tuple[float, float]] | None) -> None:
        found = self.found.setdefault(cell, {})
        if times:
            found[how] = self._kept(cell, how, times)
        else:
            found[how] = {"n": 0}
            found["not_measured"] = f"{how}: a copy of the program failed; see stderr"


def as_report(found: dict[Cell, dict[str, Any]]) -> dict[str, Any]:
    """Return what was found by range, filter and question."""
    report: dict[str, Any] = {}
    for (range_name, filter_name, question), measured in found.items():
        report.setdefault(range_name, {}).setdefault(filter_name, {})[question] = measured
    return report


def misses(found: dict[Cell, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return which questions miss a goal (GOALS_MS) for p99, worst first (by how many times they miss it).

    Args:
        found: What `Asking` found.
    """
    missed: list[dict[str, Any]] = []
    for (range_name, filter_name, question), measured in found.items():
        over = {
            how: measured[how]["p99"]
            for how, goal_ms in GOALS_MS.items()
            if measured.get(how, {}).get("p99", 0) >= goal_ms
        }
        if over or "not_measured" in measured:
            times = max((p99_ms / GOALS_MS[how] for how, p99_ms in over.items()), default=1000.0)
            missed.append(
                {"range": range_name, "filter": filter_name, "question": question, "times_over": round(times, 1)}
                | {f"{how}_p99_ms": p99_ms for how, p99_ms in over.items()}
            )
    return sorted(missed, key=lambda miss: -miss["times_over"])


def pooled(times: Times) -> dict[str, dict[str, dict[str, float]]]:
    """Return the spread of all asks together and how many missed their goal, by way and by filter (`all`: of each).

    Args:
        times: What `Asking` kept.
    """
    report: dict[str, dict[str, dict[str, float]]] = {}
    for how, goal_ms in GOALS_MS.items():
        of_filters = {filter_name: asks for (way, filter_name), asks in times.items() if way == how and asks}
        if not of_filters:
            continue
        of_filters["all"] = [ask for asks in of_filters.values() for ask in asks]
        report[how] = {
            name: spread([took_ms for took_ms, _ in asks], [cpu_ms for _, cpu_ms in asks])
            | {"cpu_p99": round(float(np.quantile([cpu_ms for _, cpu_ms in asks], 0.99)), 3)}
            | {"over_goal": sum(took_ms >= goal_ms for took_ms, _ in asks)}
            for name, asks in of_filters.items()
        }
    return report


def flatness(small: dict[str, Any], big: dict[str, Any]) -> dict[str, Any]:
    """Return the ratio of medians and of 99th percentiles of two sizes, for each question.

    Args:
        small: What `as_report` made of the smaller size.
        big: The same of the bigger one.
    """
    report: dict[str, Any] = {}
    for range_name, filters in big.items():
        for filter_name, measured_of in filters.items():
            ratios_of = report.setdefault(range_name, {}).setdefault(filter_name, {})
            for question, measured in measured_of.items():
                before = small.get(range_name, {}).get(filter_name, {}).get(question, {})
                ratios = _ratios(before, measured)
                ratios_of[question] = ratios if ratios else {"not_measured": "not asked of both sizes"}
    return report


def _ratios(before: dict[str, Any], measured: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        how: {
            key: round(measured[how][key] / before[how][key], 2)
            for key in ("p50", "p99", "cpu_p50")
            if measured[how].get(key) and before[how].get(key)
        }
        for how in ("cold", "elsewhere", "tick", "warm")
        if how in measured and how in before
    }
