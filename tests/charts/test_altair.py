"""The Vega-Lite specs: what the schema accepts and what the drawing engine draws."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import altair as alt
import pytest
import vl_convert

from charts.altair import AltairAdapter, picks
from charts.info import BarInfo, ChartInfo, Line, LineInfo
from charts.theme import Palette
from tests.charts import samples

ROOT = Path(__file__).parents[2]
CASES = [
    pytest.param(info, id=f"{make.__name__}-{key}")
    for make in (samples.gallery, samples.empty, samples.single, samples.awkward)
    for key, info in make().items()
]


def spec(info: ChartInfo) -> dict:
    return AltairAdapter(Palette()).draw(info).spec


@pytest.mark.parametrize("info", CASES)
def test_vega_lite_accepts_every_spec_and_draws_it(info: ChartInfo) -> None:
    alt.LayerChart.from_dict(spec(info), validate=True)
    svg = vl_convert.vegalite_to_svg(spec(info) | {"width": 600, "height": 260}, vl_version="5.20")
    assert ET.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("info", CASES)
def test_a_cleared_spec_is_still_one(info: ChartInfo) -> None:
    adapter = AltairAdapter(Palette())
    cleared = adapter.clear(adapter.draw(info)).spec
    assert vl_convert.vegalite_to_svg(cleared | {"width": 600, "height": 260}, vl_version="5.20").startswith("<svg")


def test_the_specs_are_of_the_vega_lite_that_the_page_carries() -> None:
    assert "/vega-lite/v5.20" in spec(samples.retries())["$schema"]


def test_a_gap_is_null() -> None:
    rows = spec(LineInfo("t", "d", (1, 2), (Line("a", (None, 3)),), "y", "ms"))["data"]["values"]
    assert rows == [{"t": 1, "v0": None}, {"t": 2, "v0": 3}]


def test_names_with_quotation_marks_and_backslashes_are_drawn() -> None:
    for name in ('"quoted"', "back\\slash", "\\u0041", "it's", "tab\there", "${x}", "\u2028"):
        lines = LineInfo("t", "d", (1, 2), (Line(name, (1, 2)),), "y", "ms")
        bars = BarInfo("t", "d", (name,), values=(1,))
        for info in (lines, bars):
            vl_convert.vegalite_to_svg(spec(info) | {"width": 300, "height": 200}, vl_version="5.20")


def test_only_the_altair_package_imports_altair() -> None:
    for file in sorted((ROOT / "charts").rglob("*.py")):
        code = file.read_text()
        if file.parent.name != "altair":
            assert "import altair" not in code, file
        if file.parent.name != "plotly":
            assert "import plotly" not in code, file


def test_a_dragged_span_is_told_once_the_pointer_is_let_go() -> None:
    drawn = AltairAdapter().draw(samples.throughput()).spec
    (patch,) = drawn["usermeta"]["embedOptions"]["patch"]
    assert (patch["op"], patch["path"], patch["value"]["name"]) == ("add", "/signals/-", picks.SPAN)
    compiled = vl_convert.vegalite_to_vega(drawn | {"width": 600, "height": 260}, vl_version="5.20")
    known = {signal["name"] for signal in compiled["signals"]}
    pressed, let_go = patch["value"]["on"]
    assert pressed["update"] == "null"
    assert set(re.findall(r"dragged_\w+", let_go["update"])) == {"dragged_t", "dragged_x"} <= known
    assert picks.SPAN not in known
    assert "usermeta" not in AltairAdapter().draw(samples.retries()).spec
