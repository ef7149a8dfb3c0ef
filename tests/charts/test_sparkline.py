"""Sparklines are valid SVG whatever the values."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from charts.sparkline import sparkline

SVG = "{http://www.w3.org/2000/svg}"


def parsed(uri: str) -> ET.Element:
    head, body = uri.split(",", 1)
    assert head == "data:image/svg+xml"
    assert not set(uri) & set('<>"#\n')  # safe in an attribute and as an address
    return ET.fromstring(unquote(body))


def lines(uri: str) -> str:
    return next(path.attrib["d"] for path in parsed(uri).iter(f"{SVG}path") if path.attrib["fill"] == "none")


@given(st.lists(st.one_of(st.none(), st.floats()), max_size=60), st.text(max_size=30))
def test_any_values_and_any_label_give_valid_xml(values: list[float | None], label: str) -> None:
    root = parsed(sparkline(values, label=label))
    assert root.tag == f"{SVG}svg"
    assert "nan" not in ET.tostring(root, encoding="unicode").split("</ns0:title>")[-1].lower().replace("ns0", "")


def test_the_label_is_the_title() -> None:
    assert parsed(sparkline([1, 2], label="<items> & more 東京")).findtext(f"{SVG}title") == "<items> & more 東京"


def test_the_line_fills_the_height() -> None:
    assert lines(sparkline([0, 10], label="", width_px=100, height_px=20)) == "M2.0,18.0 98.0,2.0"


def test_a_gap_parts_the_line() -> None:
    assert lines(sparkline([1, 2, math.nan, 3, 4], label="")).count("M") == 2


def test_a_lone_value_is_a_dot_and_a_level_line_is_in_the_middle() -> None:
    assert lines(sparkline([5], label="", height_px=20)) == "M2.0,10.0 h0.01"
    assert lines(sparkline([5, 5], label="", width_px=100, height_px=20)) == "M2.0,10.0 98.0,10.0"


def test_no_values_give_an_empty_image() -> None:
    assert not list(parsed(sparkline([], label="nothing")).iter(f"{SVG}path"))
    assert not list(parsed(sparkline([None, math.nan], label="nothing")).iter(f"{SVG}path"))
