"""Exports: any info as PNG, SVG, PDF or CSV, without a browser and without a network.

Whatever adapter a page uses, a picture is drawn from the Altair adapter's Vega-Lite spec by vl-convert.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import vl_convert

from charts.altair.spec import spec_of
from charts.csv import to_csv
from charts.empty import is_empty
from charts.errors import ExportError
from charts.info import ChartInfo
from charts.theme import CHROME, FONT_FAMILY, Chrome, Palette
from charts.xml import xml_text

_SIDES_PX = 16
_TITLE_PX = 40
_FOOTER_PX = 26
_SHARPNESS = 2  # a PNG has this many pixels to a pixel, so that it is sharp in print and on dense screens
_SMALLEST_PX, _LARGEST_PX = 120, 8_000

# Characters that take two units of UTF-16, as they are and as expressions inside a spec have them.
_OF_TWO_UNITS = re.compile(r"[\U00010000-\U0010ffff]|\\+u[dD][89abAB][\da-fA-F]{2}\\+u[dD][c-fC-F][\da-fA-F]{2}")
# Protects vl-convert's one engine, which several threads must not run at the same time.
_engine = threading.Lock()


def export_chart(
    info: ChartInfo,
    format: str,
    *,
    palette: Palette | None = None,
    theme: str = "light",
    width_px: int = 960,
    height_px: int = 480,
    footer: str | None = None,
) -> bytes:
    """Return a chart as a file.

    Args:
        info: What to draw.
        format: "png", "svg", "pdf" or "csv".
        palette: Which tone each colour key gets.
        theme: "light" or "dark"; CSV has none.
        width_px: Width of the picture; a PNG has twice as many pixels.
        height_px: Height of the picture, title and footer included.
        footer: A small line below, for instance the time range and the filters.

    Returns:
        The file's bytes.

    Raises:
        ExportError: When format, theme or size is unknown, or the picture can't be drawn.
    """
    if format == "csv":
        return to_csv(info)
    if format not in ("png", "svg", "pdf"):
        raise ExportError(format, "use one of png, svg, pdf, csv")
    if theme not in CHROME:
        raise ExportError(format, f"theme {theme!r} is unknown; use light or dark")
    if not (_SMALLEST_PX <= width_px <= _LARGEST_PX and _SMALLEST_PX <= height_px <= _LARGEST_PX):
        raise ExportError(format, f"width and height must be {_SMALLEST_PX} to {_LARGEST_PX} px")
    try:
        with _engine:
            svg = _picture(info, palette or Palette(), CHROME[theme], width_px, height_px, footer)
            if format == "svg":
                return svg.encode()
            if format == "pdf":
                return bytes(vl_convert.svg_to_pdf(svg))
            return bytes(vl_convert.svg_to_png(svg, scale=_SHARPNESS))
    except ValueError as exc:
        raise ExportError(format, f"the drawing engine refused {type(info).__name__}: {exc}") from exc


def _picture(
    info: ChartInfo, palette: Palette, chrome: Chrome, width_px: int, height_px: int, footer: str | None
) -> str:
    """Return the SVG of background, title, chart and footer."""
    top = _TITLE_PX if info.title else _SIDES_PX // 2
    bottom = _FOOTER_PX if footer else _SIDES_PX // 2
    across, down = width_px - 2 * _SIDES_PX, height_px - top - bottom
    spec = spec_of(info, palette, chrome=chrome, width_px=across, height_px=down)
    chart = _chart(_encodable(spec))
    placed = chart.replace("<svg ", f'<svg x="{_SIDES_PX}" y="{top}" ', 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"'
        f' width="{width_px}" height="{height_px}" viewBox="0 0 {width_px} {height_px}">',
        f"<title>{xml_text(info.title)}</title><desc>{xml_text(info.description)}</desc>",
        f'<rect width="100%" height="100%" fill="{chrome.background}"/>',
        _text(info.title, _SIDES_PX + 4, 26, 16, "600", chrome.text, across),
        placed,
        _nothing(chrome, width_px, height_px) if is_empty(info) else "",
        _text(footer or "", _SIDES_PX + 4, height_px - 10, 11, "400", chrome.dimmed, across),
        "</svg>",
    ]
    return "".join(parts)


def _chart(spec: str) -> str:
    """Return the SVG of a spec.

    Vega cuts long names, as the fonts of the machine will have it in the middle of a character that takes two units of
    UTF-16, and then can't measure what it cut: such characters become boxes where that happens.
    """
    try:
        return str(vl_convert.vegalite_to_svg(spec, vl_version="5.20", allowed_base_urls=[]))
    except ValueError:
        plain = _OF_TWO_UNITS.sub("□", spec)
        if plain == spec:
            raise
        return str(vl_convert.vegalite_to_svg(plain, vl_version="5.20", allowed_base_urls=[]))


def _encodable(spec: dict[str, Any]) -> str:
    """Return the spec as JSON that UTF-8 can carry: a lone surrogate in a name must not spoil the picture."""
    return json.dumps(spec, ensure_ascii=False).encode("utf-8", "replace").decode()


def _nothing(chrome: Chrome, width_px: int, height_px: int) -> str:
    return (
        f'<text x="{width_px // 2}" y="{height_px // 2}" text-anchor="middle" font-family="{FONT_FAMILY}"'
        f' font-size="13" fill="{chrome.dimmed}">No data</text>'
    )


def _text(text: str, x_px: int, y_px: int, size_px: int, weight: str, colour: str, width_px: int) -> str:
    if not text:
        return ""
    room = max(8, int(width_px / (size_px * 0.56)))  # letters are a little wider than half their height
    cut = text if len(text) <= room else text[: room - 1] + "…"
    return (
        f'<text x="{x_px}" y="{y_px}" font-family="{FONT_FAMILY}" font-size="{size_px}" font-weight="{weight}"'
        f' fill="{colour}">{xml_text(cut)}</text>'
    )
