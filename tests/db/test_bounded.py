"""What was read last: all of it until it is trimmed, then what was used last."""

from __future__ import annotations

from db.bounded import Bounded, SpanSums
from db.cells import MINUTE_MS


def test_all_that_was_read_stays_until_it_is_trimmed_to_what_was_used_last() -> None:
    kept = Bounded[str, bytes](10, len)
    for name in "abcd":
        kept[name] = bytes(4)
    assert list(kept) == ["a", "b", "c", "d"]
    assert kept["a"]  # used: now `b` is what wasn't for longest
    assert kept.trim() == ["b", "c"]
    assert set(kept) == {"a", "d"}
    assert kept.trim() == []


def test_one_that_has_no_room_is_kept_alone() -> None:
    kept = Bounded[str, bytes](10, len)
    kept["small"], kept["big"] = bytes(1), bytes(11)
    assert kept.trim() == ["small"]
    assert set(kept) == {"big"}


def test_what_is_put_in_anothers_place_counts_instead_of_it() -> None:
    kept = Bounded[str, bytes](10, len)
    kept["a"] = bytes(8)
    kept["b"] = bytes(2)
    kept["a"] = bytes(9)
    assert kept.currsize == 11
    assert kept.trim() == ["b"]


def test_a_sum_is_found_once_until_a_minute_of_its_span_changes() -> None:
    sums, asked = SpanSums(8), []

    def add_up() -> int:
        asked.append(1)
        return len(asked)

    def ask(first: int, last: int, question: str = "sum") -> int:
        return sums.of(first * MINUTE_MS, last * MINUTE_MS, question, add_up)

    assert [ask(0, 5), ask(5, 9), ask(0, 5, "other"), ask(0, 5), ask(5, 9)] == [1, 2, 3, 1, 2]
    sums.forget([5 * MINUTE_MS])  # the first minute of the second span, the first one after the others
    assert [ask(0, 5), ask(5, 9), ask(0, 5, "other")] == [1, 4, 3]
    sums.forget([])
    assert ask(0, 5) == 1
    sums.forget(None)
    assert [ask(0, 5), ask(5, 9)] == [5, 6]


def test_no_more_sums_are_kept_than_may_be_nor_one_that_nobody_knows() -> None:
    sums, asked = SpanSums(2), []

    def ask(start_ms: int, found: int | None) -> int | None:
        def add_up() -> int | None:
            asked.append(start_ms)
            return found

        return sums.of(start_ms, start_ms + MINUTE_MS, "sum", add_up)

    assert [ask(0, None), ask(0, 7), ask(0, 8)] == [None, 7, 7]
    assert [ask(1, 1), ask(0, 8), ask(2, 2), ask(0, 8), ask(1, 3)] == [1, 7, 2, 7, 3]
    assert asked == [0, 0, 1, 2, 1]
