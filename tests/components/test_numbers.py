"""Numbers as people read them, digit by digit."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.numbers import Change, about, change, clock, count, date_time, duration, per_minute, percent

NBSP = "\u00a0"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (7, "7"), (999, "999"), (1234, "1,234"), (999_999, "999,999"), (1_234_567, "1.23 M"),
        (12_345_678, "12.3 M"), (999_400_000, "999 M"), (2_500_000_000, "2.5 bn"), (3e12, "3 tn"), (None, "–"),
        (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_counts_have_thousands_separated(value: float | None, text: str) -> None:
    assert count(value) == text.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"), (100, "100 %"), (98.66, "98.7 %"), (99.96, "99.9 %"), (99.9999, "99.9 %"), (0.01, "0.1 %"),
        (50, "50.0 %"), (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_only_all_is_a_hundred_percent_and_only_none_is_zero(value: float | None, text: str) -> None:
    assert percent(value) == text.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (0, "0_ms"), (0.04, "<0.1_ms"), (1.25, "1.2_ms"), (9.94, "9.9_ms"), (9.96, "10_ms"), (150, "150_ms"),
        (999.4, "999_ms"), (999.6, "1.00_s"), (1_234, "1.23_s"), (9_990, "9.99_s"), (12_340, "12.3_s"),
        (59_940, "59.9_s"), (60_000, "1_min"), (125_000, "2_min 5_s"), (3_599_400, "59_min 59_s"), (3_600_000, "1_h"),
        (11_400_000, "3_h 10_min"),
        (172_800_000, "2_d"), (180_000_000, "2_d 2_h"), (None, "–"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_durations_take_the_unit_that_fits(value_ms: float | None, text: str) -> None:
    assert duration(value_ms) == text.replace("_", NBSP)


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (59_800, "59.8_s"), (605_000, "10_min"), (1_199_400, "20_min"), (1_530_000, "25_min 30_s"),
        (3_597_000, "1_h"), (5_430_000, "1_h 30_min"), (None, "–"),
    ],
)  # fmt: skip
def test_what_was_learnt_is_told_without_seconds_that_nobody_meant(value_ms: float | None, text: str) -> None:
    assert about(value_ms) == text.replace("_", NBSP)


@given(st.floats(0, 1e12))
def test_no_duration_shows_sixty_of_a_unit(value_ms: float) -> None:
    text = duration(value_ms)
    assert not re.search(rf"(?<![\d.])60{NBSP}(s|min)", text)
    assert f"1000{NBSP}ms" not in text
    assert f"24{NBSP}h" not in text.split(" ")[-1] or " " not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0/min"), (0.05, "<0.1/min"), (3.42, "3.4/min"), (9.96, "10/min"), (1234.5, "1,234/min"), (None, "–")],
)
def test_rates_are_per_minute(value: float | None, text: str) -> None:
    assert per_minute(value) == text


def test_clock_times_are_utc_and_carry_the_day_only_when_the_page_spans_more_than_one() -> None:
    assert clock(1_700_000_000_000) == "22:13:20"
    assert clock(1_700_000_000_000, span_ms=86_400_000) == "22:13:20"
    assert clock(1_700_000_000_000, span_ms=86_400_001) == "14 Nov 22:13:20"
    assert clock(None) == "–"
    assert date_time(1_700_000_000_000) == "14 Nov 2023 22:13 UTC"


def test_a_change_is_told_by_arrow_size_words_and_mood() -> None:
    assert change(112, 100) == Change(f"▲ 12{NBSP}%", f"up 12{NBSP}%", "flat")
    assert change(112, 100, better="up").mood == "good"
    assert change(112, 100, better="down").mood == "bad"
    assert change(88, 100, better="down") == Change(f"▼ 12{NBSP}%", f"down 12{NBSP}%", "good")
    assert change(98.5, 97.2, better="up", points=True) == Change(f"▲ 1.3{NBSP}pt", f"up 1.3{NBSP}pt", "good")
    assert change(4_000, 100).text == "▲ 40 times"


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (5, 5, "= same"), (0, 0, "= same"), (1_001, 1_000, "≈ same"), (5, 0, "▲ new"), (0, 5, f"▼ 100{NBSP}%"),
        (None, 5, ""), (5, None, ""), (math.nan, 5, ""), (99.99, 100, "≈ same"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_not(now: float | None, before: float | None, text: str) -> None:
    told = change(now, before, better="up")
    assert told.text == text
    assert told.words


@given(st.floats(allow_nan=True), st.floats(allow_nan=True), st.booleans())
def test_any_two_numbers_can_be_compared(now: float, before: float, points: bool) -> None:
    assert change(now, before, points=points).words
