"""Numbers as people read them."""

from __future__ import annotations

import doctest
import math

import pytest

from charts import units
from charts.units import format_value, is_word, scale_for, span_of_time, tick_format


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0, "ms", "0 ms"),
        (0.25, "ms", "0.25 ms"),
        (150, "ms", "150 ms"),
        (999.4, "ms", "999 ms"),
        (1200, "ms", "1.2 s"),
        (119_999, "ms", "120 s"),
        (120_000, "ms", "2 min"),
        (7_200_000, "ms", "2 h"),
        (36_000_000, "ms", "10 h"),
        (90, "s", "90 s"),
        (180, "s", "3 min"),
        (98.456, "%", "98.5%"),
        (95, "%", "95.0%"),
        (99.97, "%", "99.9%"),
        (100, "%", "100%"),
        (0.0004, "/s", "0.0004/s"),
        (12, "/min", "12/min"),
        (1234, "items", "1,234 items"),
        (12_345, "items", "12.3k items"),
        (1_234_567, "", "1.23M"),
        (2.5e9, "", "2.5G"),
        (1e12, "", "1T"),
        (1e300, "", "1e+300"),
        (-5, "ms", "-5 ms"),
        (512, "B", "512 B"),
        (2_500_000, "B", "2.5 MB"),
        (None, "ms", "–"),
        (math.nan, "ms", "–"),
        (math.inf, "ms", "–"),
    ],
)
def test_a_value_is_written_with_few_digits_and_a_fitting_unit(value: float | None, unit: str, written: str) -> None:
    assert format_value(value, unit) == written


@pytest.mark.parametrize(
    ("unit", "largest", "divisor", "suffix"),
    [
        ("ms", 800, 1, " ms"),
        ("ms", 1000, 1000, " s"),
        ("ms", 200_000, 60_000, " min"),
        ("ms", 1e8, 3_600_000, " h"),
        ("ms", math.nan, 1, " ms"),
        ("s", 0.5, 0.001, " ms"),
        ("s", 90, 1, " s"),
        ("B", 5e9, 1e9, " GB"),
        ("%", 100, 1, "%"),
        ("items", 5, 1, " items"),
        ("", 5, 1, ""),
    ],
)
def test_an_axis_has_one_scale_that_suits_its_largest_value(
    unit: str, largest: float, divisor: float, suffix: str
) -> None:
    scale = scale_for(unit, largest)
    assert (scale.divisor, scale.suffix) == (divisor, suffix)


def test_large_ticks_are_written_short() -> None:
    assert [tick_format(largest) for largest in (9_999, 10_000, 1e15)] == [",.6~r", "~s", ".2~e"]


def test_words_are_told_from_signs() -> None:
    assert [unit for unit in ("items", "ms", "%", "", "/s", "navigations", "B") if is_word(unit)] == [
        "items",
        "navigations",
    ]


def test_a_span_of_time_names_its_days() -> None:
    noon_ms = 1_795_348_800_000
    assert span_of_time(noon_ms, noon_ms + 3_723_999) == "22 Nov 12:00:00 – 13:02:03 UTC"
    assert span_of_time(noon_ms, noon_ms + 86_400_000) == "22 Nov 12:00:00 – 23 Nov 12:00:00 UTC"


def test_the_examples_hold() -> None:
    assert doctest.testmod(units).failed == 0
