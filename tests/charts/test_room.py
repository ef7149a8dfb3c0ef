"""What labels take beside a plot, told before Plotly measures them."""

from __future__ import annotations

import math

import pytest

from charts.info import BarInfo, ChartInfo, HistogramInfo, Line, LineInfo
from charts.plotly.adapter import PlotlyAdapter
from charts.plotly.common import value_axis
from charts.plotly.room import text_px, tick_texts
from tests.charts.samples import gallery


# What Chromium measured with Liberation Sans, which has Helvetica's widths.
@pytest.mark.parametrize(
    ("text", "px"), [("1.5/min", 36.1), ("2 s", 15.2), ("4,000", 27.5), ("100%", 28.4), ("no price on the page", 100.3)]
)
def test_a_label_is_as_wide_as_chromium_draws_it(text: str, px: float) -> None:
    assert text_px(text) == pytest.approx(px, abs=0.6)


def test_entities_are_as_wide_as_what_they_stand_for() -> None:
    assert text_px("a&lt;b") == text_px("a<b") == text_px("<i>a</i>&lt;b")


@pytest.mark.parametrize(
    ("unit", "largest", "texts"),
    [
        ("ms", 2.0, ["0 ms", "0.5 ms", "1 ms", "1.5 ms", "2 ms"]),
        ("/min", 6.1, ["0/min", "2/min", "4/min", "6/min"]),
        ("items", 40_000.0, ["0", "10k", "20k", "30k", "40k items"]),
        ("", 5_000.0, ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]),
    ],
)
def test_ticks_are_those_that_plotly_chooses(unit: str, largest: float, texts: list[str]) -> None:
    assert tick_texts(value_axis(unit, largest), largest) == texts


def test_an_axis_that_nothing_is_known_of_has_no_labels() -> None:
    assert tick_texts(value_axis("ms", math.nan), math.nan) == []
    assert tick_texts(value_axis("ms", 0.0), 0.0) == []


def margins(info: ChartInfo) -> dict[str, int]:
    found: dict[str, int] = PlotlyAdapter().draw(info).spec["layout"]["margin"]
    return found


def test_margins_hold_the_widest_label_and_a_legend_of_one_row() -> None:
    x_ms, few = (0, 60_000, 120_000), [1.0, 2.0, 2.0]
    one = margins(LineInfo("T", "", x_ms, (Line("a", few),), y_unit="/min"))
    two = margins(LineInfo("T", "", x_ms, (Line("a", few), Line("b", few)), y_unit="/min"))
    # The label, 7 px to the axis and 8 px to the edge; below, two lines of time, and the legend's row.
    assert one == {"l": math.ceil(text_px("0.5/min") + 15), "r": 14, "t": 8, "b": 43, "pad": 0}
    assert two == {**one, "b": 72}
    long = margins(BarInfo("T", "", ("a", "no price on the page"), [1.0, 2.0], value_title="failures", horizontal=True))
    assert long == {"l": math.ceil(text_px("no price on the page") + 15), "r": 12, "t": 8, "b": 44, "pad": 0}


def test_the_label_at_the_end_of_the_axis_below_has_its_room() -> None:
    edges = [0.0, 10.0, 100.0, 60_000_000.0]
    assert margins(HistogramInfo("T", "", edges, [1.0, 2.0, 3.0], unit="ms"))["r"] > 12


@pytest.mark.parametrize("largest", [3.0, 64_900.0, 1_234_567.0])
@pytest.mark.parametrize("unit", ["failures", "ms", "%"])
def test_the_longest_bar_leaves_room_for_its_number_on_a_phone(unit: str, largest: float) -> None:
    info = BarInfo("T", "", ("a", "b"), [1.0, largest], unit=unit, horizontal=True)
    spec = PlotlyAdapter().draw(info).spec
    bars, axis = spec["data"][0], spec["layout"]["xaxis"]
    label_px = text_px(bars["text"][1])
    assert 200 * (1 - bars["x"][1] / axis["range"][1]) > label_px + 3


@pytest.mark.parametrize("name", sorted(gallery()))
def test_whatever_is_drawn_keeps_the_smallest_of_its_margins(name: str) -> None:
    # Plotly leaves as much beyond a label: were it more, all labels would need more than was foreseen.
    assert min(margins(gallery()[name]).get(side, 8) for side in "lrtb") == 8
