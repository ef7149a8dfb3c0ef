"""How a scraper is judged."""

from __future__ import annotations

import numpy as np
import pytest

from components.states import is_silent, state_of, states_of, usual_pause_ms
from db.results import Filter, SourceStats, TimeRange, Totals
from tests.pages.invented import fleet
from tests.pages.memory_queries import NOW_MS

RANGE = TimeRange(0, 900_000, 10_000)


def stats(*, busy: list[int], last_seen_ms: int, successes: int = 10, errors: int = 0) -> SourceStats:
    counts = np.zeros(RANGE.bucket_count, dtype=np.int64)
    counts[busy] = 1
    totals = Totals(successes + errors, 0, successes, errors, 0, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    return SourceStats("a", totals, last_seen_ms, last_seen_ms, 0.0, counts)


@pytest.mark.parametrize(
    ("successes", "errors", "name"),
    [
        (100, 0, "healthy"),
        (90, 10, "healthy"),
        (89, 11, "degraded"),
        (50, 50, "degraded"),
        (49, 51, "failing"),
        (0, 9, "failing"),
    ],
)
def test_the_success_rate_decides_while_it_reports(successes: int, errors: int, name: str) -> None:
    seen = stats(busy=[*range(90)], last_seen_ms=899_000, successes=successes, errors=errors)
    assert state_of(seen, RANGE).name == name


def test_a_steady_scraper_is_silent_three_minutes_after_its_last_word() -> None:
    busy = [*range(60)]
    assert not is_silent(stats(busy=busy, last_seen_ms=720_000), RANGE)
    assert state_of(stats(busy=busy, last_seen_ms=719_999), RANGE).name == "silent"


def test_pauses_between_bursts_are_no_silence() -> None:
    busy = [0, 1, 2, 30, 31, 60, 61]  # every five minutes
    assert usual_pause_ms(stats(busy=busy, last_seen_ms=0).counts, RANGE.bucket_ms) == 290_000
    assert not is_silent(stats(busy=busy, last_seen_ms=610_000), RANGE)


def test_a_lonely_burst_is_not_called_silent_before_it_could_repeat() -> None:
    assert not is_silent(stats(busy=[30, 31], last_seen_ms=310_000), RANGE)
    assert is_silent(stats(busy=[5, 6], last_seen_ms=60_000), RANGE)


def test_a_newcomers_time_before_its_first_word_is_no_pause() -> None:
    seen = stats(busy=[30, 31], last_seen_ms=310_000)
    assert is_silent(seen, RANGE, known_before=False)
    assert usual_pause_ms(seen.counts, RANGE.bucket_ms, known_before=False) == 60_000


def test_nothing_at_all_is_a_pause_as_long_as_the_range() -> None:
    assert usual_pause_ms(np.zeros(90, dtype=np.int64), 10_000) == 900_000


def test_every_state_has_a_symbol_a_word_and_a_mood() -> None:
    seen = stats(busy=[*range(90)], last_seen_ms=899_000)
    assert state_of(seen, RANGE).status.text == "✓ healthy"
    assert state_of(seen, RANGE).status.mood == "ok"


def test_looking_at_failures_only_does_not_make_a_scraper_fail() -> None:
    queries = fleet(["a", "b", "c"], seed=3)
    range = TimeRange(NOW_MS // 10_000 * 10_000 - 900_000, NOW_MS // 10_000 * 10_000 + 10_000, 10_000)
    whole = {one.source: state_of(one, range) for one in queries.sources(range)}
    narrow = Filter(result="failed")
    found = states_of(queries, range, narrow, queries.sources(range, narrow))
    assert found == whole
