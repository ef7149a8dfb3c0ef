"""Exported files: what they are, how large, and that any title fits."""

from __future__ import annotations

import struct
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from charts.errors import ExportError
from charts.export import export_chart
from charts.info import BarInfo, ChartInfo
from tests.charts import samples

FULL = [pytest.param(info, id=key) for key, info in samples.gallery().items()]


@pytest.mark.parametrize("info", FULL)
def test_a_png_has_twice_the_pixels_asked_for(info: ChartInfo) -> None:
    png = export_chart(info, "png", width_px=500, height_px=300)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", png[16:24]) == (1000, 600)


@pytest.mark.parametrize("info", FULL)
def test_a_pdf_is_one(info: ChartInfo) -> None:
    pdf = export_chart(info, "pdf", width_px=500, height_px=300)
    assert pdf.startswith(b"%PDF-")
    assert b"%%EOF" in pdf[-32:]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("info", FULL)
def test_an_svg_parses_and_bears_title_description_and_footer(info: ChartInfo, theme: str) -> None:
    svg = export_chart(info, "svg", theme=theme, width_px=640, height_px=360, footer="Last 15 minutes · all sources")
    root = ET.fromstring(svg)
    assert (root.attrib["width"], root.attrib["height"]) == ("640", "360")
    words = "".join(root.itertext())
    assert info.title in words
    assert info.description in words
    assert "Last 15 minutes · all sources" in words


def test_light_and_dark_differ_in_their_background() -> None:
    light, dark = (export_chart(samples.retries(), "svg", theme=theme) for theme in ("light", "dark"))
    assert b'fill="#ffffff"' in light
    assert b'fill="#1a1b1e"' in dark


def test_an_empty_chart_says_so() -> None:
    for info in samples.empty().values():
        assert b"No data" in export_chart(info, "svg")
    assert b"No data" not in export_chart(samples.retries(), "svg")


@pytest.mark.parametrize(
    "title", ["<script>alert(1)</script>", "A & B", "\x00\x1b nul", "\ud800 lone", "x" * 500, "東京 🙂"]
)
def test_any_title_is_fit_for_a_picture(title: str) -> None:
    svg = export_chart(replace(samples.retries(), title=title), "svg", footer=title)
    assert ET.fromstring(svg).tag.endswith("svg")
    assert export_chart(replace(samples.retries(), title=title), "png")[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"format": "gif"}, "png, svg, pdf, csv"),
        ({"theme": "sepia"}, "light or dark"),
        ({"width_px": 10}, "120 to 8000"),
        ({"height_px": 90_000}, "120 to 8000"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_words(wrong: dict, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        export_chart(samples.retries(), **{"format": "png", **wrong})


def test_several_threads_export_at_the_same_time() -> None:
    pictures: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pictures.append(export_chart(samples.retries(), "svg"))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(pictures) == 4
    assert len(set(pictures)) == 1


def test_pictures_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody answers there
    assert export_chart(samples.durations(), "png")[:4] == b"\x89PNG"


@pytest.mark.parametrize("letters", range(6))
def test_a_long_name_may_be_cut_in_the_middle_of_a_character(letters: int) -> None:
    # Where it is cut depends on the machine's fonts: of these lengths some are cut between two halves.
    bars = BarInfo("Foxes", "", ("i" * letters + "\U0001f98a" * 50, "cub"), [1, 2], horizontal=True)
    assert export_chart(bars, "svg").startswith(b"<svg")
