"""Moments and buckets: every form that is accepted, and what isn't."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.timerange import (
    BUCKETS_MS,
    DAY_MS,
    HOUR_MS,
    LONGEST_MS,
    MINUTE_MS,
    QUICK_RANGES,
    SECOND_MS,
    MomentError,
    bucket_for,
    describe,
    duration_words,
    is_relative,
    parse_moment,
)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOW_MS = ms("2026-11-22T10:32:05.678")  # a Sunday


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-11-22T10:32:05.678"),
        (" now ", "2026-11-22T10:32:05.678"),
        ("now-15m", "2026-11-22T10:17:05.678"),
        ("now-6h", "2026-11-22T04:32:05.678"),
        ("now-90s", "2026-11-22T10:30:35.678"),
        ("now-1d-6h", "2026-11-21T04:32:05.678"),
        ("now+1h", "2026-11-22T11:32:05.678"),
        ("now-2w", "2026-11-08T10:32:05.678"),
        ("now-1M", "2026-10-22T10:32:05.678"),
        ("now-9M", "2026-02-22T10:32:05.678"),
        ("now-1y", "2025-11-22T10:32:05.678"),
        ("now/d", "2026-11-22T00:00:00"),
        ("now-1d/d", "2026-11-21T00:00:00"),
        ("now/h", "2026-11-22T10:00:00"),
        ("now/m", "2026-11-22T10:32:00"),
        ("now/s", "2026-11-22T10:32:05"),
        ("now/w", "2026-11-16T00:00:00"),
        ("now/M", "2026-11-01T00:00:00"),
        ("now/y", "2026-01-01T00:00:00"),
        ("2026-11-22", "2026-11-22T00:00:00"),
        ("2026-11-22T10:00", "2026-11-22T10:00:00"),
        ("2026-11-22 10:00:30", "2026-11-22T10:00:30"),
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00"),
        ("2026-11-22T10:00:00+02:00", "2026-11-22T08:00:00"),
        (str(ms("2026-11-22T10:00:00.123")), "2026-11-22T10:00:00.123"),
    ],
)
def test_every_accepted_form_names_its_moment(text: str, moment: str) -> None:
    assert parse_moment(text, NOW_MS) == ms(moment)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now/d", "2026-11-23T00:00:00"),
        ("now/w", "2026-11-23T00:00:00"),
        ("now/M", "2026-12-01T00:00:00"),
        ("now/y", "2027-01-01T00:00:00"),
        ("now-1d/d", "2026-11-22T00:00:00"),
        ("2026-11-22", "2026-11-23T00:00:00"),
        ("2026-11-22T10:00", "2026-11-22T10:00:00"),
        ("now", "2026-11-22T10:32:05.678"),
    ],
)
def test_the_end_of_a_range_takes_a_rounded_unit_or_a_bare_date_whole(text: str, moment: str) -> None:
    assert parse_moment(text, NOW_MS, end=True) == ms(moment)


def test_a_month_before_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    assert parse_moment("now-1M", ms("2026-03-31T12:00:00")) == ms("2026-02-28T12:00:00")


@pytest.mark.parametrize(
    "text",
    [
        "", "banana", "now-", "now-6", "now-6x", "now-6h/", "now/q", "now - 6h", "-6h", "6h", "NOW", "nowhere", "2026",
        "2026-13-01", "2026-11-22T25:00", "1" * 11, "1" * 14, "now-9999999h", "now-999999y", "now-999999M",
        "now+999999y", "1999-12-31", "2100-01-02", "0001-01-01", "now-٣h", "<script>", "2026-11-22T10:00:00+99:00",
        "\x00", "nan", "inf",
    ],
)  # fmt: skip
def test_what_names_no_moment_is_refused_with_words(text: str) -> None:
    with pytest.raises(MomentError) as refused:
        parse_moment(text, NOW_MS)
    assert refused.value.message.endswith(".")
    assert refused.value.text == text.strip()


@given(st.text(max_size=60), st.booleans())
def test_no_text_breaks_the_parser(text: str, end: bool) -> None:
    try:
        assert ms("2000-01-01") <= parse_moment(text, NOW_MS, end=end) <= ms("2100-01-01")
    except MomentError as refused:
        assert refused.message  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    ("length_ms", "bucket_ms"),
    [
        (1, 5 * SECOND_MS),
        (5 * MINUTE_MS, 5 * SECOND_MS),
        (15 * MINUTE_MS, 10 * SECOND_MS),
        (HOUR_MS, 30 * SECOND_MS),
        (6 * HOUR_MS, 5 * MINUTE_MS),
        (DAY_MS, 10 * MINUTE_MS),
        (7 * DAY_MS, 2 * HOUR_MS),
        (30 * DAY_MS, 6 * HOUR_MS),
        (LONGEST_MS, 30 * DAY_MS),
    ],
)
def test_a_range_is_cut_into_round_buckets(length_ms: int, bucket_ms: int) -> None:
    assert bucket_for(length_ms) == bucket_ms


@given(st.integers(250 * SECOND_MS, LONGEST_MS))
def test_every_range_has_50_to_150_buckets(length_ms: int) -> None:
    assert 49 < length_ms / bucket_for(length_ms) <= 150


def test_a_longer_bucket_is_at_most_three_times_the_next_shorter_and_all_divide_the_day_or_are_days() -> None:
    assert all(longer <= 3 * shorter for shorter, longer in pairwise(BUCKETS_MS))
    assert all(DAY_MS % bucket_ms == 0 or bucket_ms % DAY_MS == 0 for bucket_ms in BUCKETS_MS)


def test_a_range_is_said_in_words() -> None:
    assert [describe(quick.from_, "now") for quick in QUICK_RANGES] == [quick.title for quick in QUICK_RANGES]
    assert describe("now-2h", "now") == "now-2h to now"
    assert describe("2026-11-22T10:00", "2026-11-22T11:00") == "2026-11-22 10:00 to 11:00"
    assert describe("2026-11-22T10:00", "2026-11-23T11:00") == "2026-11-22 10:00 to 2026-11-23 11:00"
    assert describe("2026-11-22", "2026-11-22") == "2026-11-22 to 2026-11-22"
    assert describe(str(ms("2026-11-22T10:00:00")), "now") == "2026-11-22 10:00:00 to now"


def test_a_length_is_said_in_words() -> None:
    lengths = [15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, DAY_MS, 7 * DAY_MS, 90 * SECOND_MS, 1_500]
    said = ["15 minutes", "hour", "6 hours", "day", "7 days", "90 seconds", "1.5 seconds"]
    assert [duration_words(length_ms) for length_ms in lengths] == said


def test_only_what_is_counted_from_now_moves() -> None:
    assert is_relative("now-6h")
    assert is_relative(" now/d")
    assert not is_relative("2026-11-22")
