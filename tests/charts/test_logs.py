"""Logarithmic axes: for durations over more than three decades, with ticks that people say."""

from __future__ import annotations

import numpy as np
import pytest

from charts import make_adapter
from charts.info import Line, LineInfo
from charts.logs import log_range, log_ticks, wants_log

WIDE = (1.0, 20.0, None, 36_000_000.0)


def info(*values: float | None, unit: str = "ms", stacked: bool = False) -> LineInfo:
    return LineInfo(
        "T",
        "t.",
        tuple(60_000 * n for n in range(len(values))),
        (Line("a", values),),
        "duration",
        unit,
        stacked=stacked,
    )


@pytest.mark.parametrize(
    ("unit", "values", "log"),
    [
        ("ms", [1, 36e6], True),
        ("ms", [1, np.nan, 1_001], True),
        ("ms", [1, 1_000], False),
        ("ms", [0, 1, 36e6], False),  # a zero has no place there
        ("items", [1, 1e9], False),
        ("ms", [], False),
        ("ms", [np.nan], False),
        ("ms", [5], False),
    ],
)
def test_only_durations_over_three_decades_are_logarithmic(unit: str, values: list[float], log: bool) -> None:
    assert wants_log(unit, np.array(values, dtype=np.float64)) is log


def test_ticks_are_what_people_say_and_lie_inside() -> None:
    values = np.array([1.0, 36_000_000.0])
    places, texts = log_ticks(values)
    assert texts == ["1 ms", "100 ms", "10 s", "10 min", "10 h"]
    low, high = log_range(values)
    assert all(low <= place <= high for place in places)
    assert low < 1.0 < 36_000_000.0 < high


def test_the_axis_says_that_it_is_logarithmic_and_a_hover_tells_the_unit() -> None:
    adapter = make_adapter("plotly")
    figure = adapter.draw(info(*WIDE)).spec
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert figure["layout"]["yaxis"]["title"]["text"] == "duration, logarithmic"
    assert figure["data"][0]["y"] == [0.001, 0.02, None, 36_000]
    assert figure["data"][0]["hovertemplate"] == "%{y:,.3~r} s"
    assert figure["layout"]["yaxis"]["tickvals"] == [0.001, 0.1, 10, 600, 36_000]
    assert "fill" not in figure["data"][0]
    plain = adapter.draw(info(1.0, 900.0)).spec
    assert "type" not in plain["layout"]["yaxis"]


def test_both_adapters_decide_alike() -> None:
    altair = make_adapter("altair")
    assert '"type": "log"' in str(altair.draw(info(*WIDE)).spec).replace("'", '"')
    assert "log" not in str(altair.draw(info(1.0, 900.0)).spec)
    assert altair.export(info(*WIDE), "svg").startswith(b"<svg")
    assert b"10 min" in altair.export(info(*WIDE), "svg")
