"""Chart infos: compared by value, refused when their parts don't fit."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from charts.empty import is_empty
from charts.errors import InfoError
from charts.info import (
    BarInfo,
    HeatmapInfo,
    HistogramInfo,
    Line,
    LineInfo,
    PieInfo,
    RadarInfo,
    Span,
    TimelineInfo,
)
from tests.charts import samples


@pytest.mark.parametrize("key", list(samples.gallery()))
def test_infos_with_the_same_arrays_are_equal(key: str) -> None:
    assert samples.gallery()[key] == samples.gallery()[key]
    assert samples.gallery()[key] != replace(samples.gallery()[key], title="other")  # type: ignore[type-var]


def test_nan_equals_nan_and_a_changed_number_differs() -> None:
    one = Line("a", np.array([1, np.nan]))
    assert one == Line("a", np.array([1, np.nan]))
    assert one != Line("a", np.array([1, 2.0]))
    assert Line("a", (1, None)) == Line("a", (1, None))
    assert one != Line("b", np.array([1, np.nan]))
    assert one != "a"


def test_an_info_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        samples.retries().title = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: LineInfo("t", "d", (1, 2), (Line("a", (1,)),)), "lines"),
        (lambda: BarInfo("t", "d", ("a",), values=(1, 2)), "values"),
        (lambda: BarInfo("t", "d", ("a",)), "values"),
        (lambda: BarInfo("t", "d", ("a",), values=(1,), groups=(("g", (1,)),)), "values"),
        (lambda: BarInfo("t", "d", ("a",), values=(1,), colour_keys=("x", "y")), "colour_keys"),
        (lambda: PieInfo("t", "d", ("a",), (1, 2)), "values"),
        (lambda: PieInfo("t", "d", ("a",), (1,), colour_keys=()), "colour_keys"),
        (lambda: RadarInfo("t", "d", ("a",), (("x", (1, 2)),)), "shapes"),
        (lambda: HistogramInfo("t", "d", (1, 2), (1, 2)), "edges"),
        (lambda: HeatmapInfo("t", "d", ("a",), ("b",), ((1, 2),)), "values"),
        (lambda: HeatmapInfo("t", "d", ("a",), ("b",), ()), "values"),
        (lambda: TimelineInfo("t", "d", (Span("a", 2, 1, "x", True),)), "bars"),
    ],
)
def test_parts_that_do_not_fit_are_refused_by_name(make, field: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InfoError) as refused:
        make()
    assert refused.value.field == field
    assert field in str(refused.value)


@pytest.mark.parametrize("key", list(samples.empty()))
def test_an_info_without_values_is_empty(key: str) -> None:
    assert is_empty(samples.empty()[key])


@pytest.mark.parametrize("make", [samples.gallery, samples.single])
def test_an_info_with_a_value_is_not_empty(make) -> None:  # type: ignore[no-untyped-def]
    for info in make().values():
        assert not is_empty(info)


def test_gaps_alone_are_nothing_to_see() -> None:
    assert is_empty(samples.awkward()["line-gaps"])


def test_lanes_appear_in_the_order_of_their_first_span() -> None:
    assert samples.runs().lanes() == ("refresh prices", "crawl filings", "clean up")
