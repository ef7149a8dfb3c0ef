"""How much room the labels beside a plot take, told beforehand.

Plotly measures its labels when all is drawn, makes the margins as wide as they need, and draws everything once more:
half of what a chart costs. It doesn't where the margins are wide enough from the start. Widths are Helvetica's, which
Arial and its like share; where the font is wider, or a legend takes a second row, Plotly does what it always did.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

# Thousandths of the font size. Whatever isn't here is a wide letter.
_SIGNS: Final = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft\u00a0",
    333: "()-`r",
    355: '"',
    389: "*",
    469: "^",
    500: "Jcksvxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
}
_WIDTHS: Final = {sign: width for width, signs in _SIGNS.items() for sign in signs}
_WIDE: Final = 1000
_FONT_PX: Final = 11
_PAD_PX: Final = 8  # what Plotly leaves beyond a label: the smallest of the four margins
_TOP_PX: Final = 8
_RIGHT_PX: Final = 12
_MOMENT_PX: Final = 2  # the label of the last moment reaches beyond the plot
_BESIDE_PX: Final = 7  # between a label and its axis
_TITLE_PX: Final = 16
_LINE_PX: Final = 20  # a line of labels below the plot, with its distance
_MOMENTS_PX: Final = 35  # two lines and the ticks above them
_LEGEND_PX: Final = 29  # a legend of one row
_NICE: Final = (2, 5, 10)  # what Plotly makes of a tenth, a hundredth and so on for a step
_HEADROOM: Final = 0.95  # of a range that Plotly chooses, the part that the largest value fills
_ENTITY: Final = re.compile(r"&(?:amp|lt|gt|quot);|<[^<>]*>")


def margin(x: Mapping[str, Any], y: Mapping[str, Any], *, largest: float, legend: bool) -> dict[str, int]:
    """Return a figure's margins in px, wide enough for what Plotly writes beside the plot.

    Args:
        x: The axis below the plot.
        y: The axis beside it.
        largest: The largest value on `y` where that has no range, as drawn; NaN when there is none.
        legend: Whether one stands below.
    """
    moments = x.get("type") == "date"
    below = _MOMENTS_PX if moments else _LINE_PX + (_TITLE_PX if x.get("title") else 0)
    beside = max((text_px(text, _size(y)) + _BESIDE_PX for text in tick_texts(y, largest)), default=0.0)
    return {
        "l": math.ceil(beside + _PAD_PX + (_TITLE_PX if y.get("title") else 0)),
        "r": _RIGHT_PX + _MOMENT_PX if moments else max(_RIGHT_PX, math.ceil(_beyond_px(x) + _PAD_PX)),
        "t": _TOP_PX,
        "b": below + _PAD_PX + (_LEGEND_PX if legend else 0),
        "pad": 0,
    }


@lru_cache(maxsize=4_096)
def text_px(text: str, size_px: float = _FONT_PX) -> float:
    """Return how wide a line of text is in Helvetica, in px.

    Args:
        text: As Plotly gets it: with its entities and tags.
        size_px: The size of the letters.
    """
    plain = _ENTITY.sub(lambda found: "<" if found[0].startswith("&") else "", text)
    return sum(_WIDTHS.get(sign, _WIDE) for sign in plain) * size_px / 1000


def tick_texts(axis: Mapping[str, Any], largest: float) -> list[str]:
    """Return what Plotly writes beside an axis.

    Args:
        axis: The axis of a figure.
        largest: The largest value on it, for where it has no range of its own; NaN when there is none.
    """
    if "ticktext" in axis:
        return [str(text) for text in axis["ticktext"]]
    low, high = sorted(axis.get("range") or (0.0, largest / _HEADROOM))
    if not high > low:  # also when nothing is known
        return []
    step = axis.get("dtick") or _step((high - low) / axis.get("nticks", 6))
    first, last = math.ceil(low / step), math.floor(high / step + 1e-9)
    suffix = axis.get("ticksuffix", "")
    only_last = axis.get("showticksuffix") == "last"
    return [
        _written(place * step, axis.get("tickformat", "")) + (suffix if place == last or not only_last else "")
        for place in range(first, last + 1)
    ]


def _beyond_px(axis: Mapping[str, Any]) -> float:
    """Return how far a label at the very end of the axis below reaches beyond the plot."""
    places, texts, ends = axis.get("tickvals"), axis.get("ticktext"), axis.get("range")
    if not (places and texts and ends) or abs(places[-1] - ends[1]) > 1e-9:
        return 0.0
    return text_px(str(texts[-1]), _size(axis)) / 2


def _size(axis: Mapping[str, Any]) -> float:
    return float(axis.get("tickfont", {}).get("size", _FONT_PX))


def _step(rough: float) -> float:
    """Return the distance of ticks that are at least so far from each other, as Plotly chooses it."""
    tenth = 10.0 ** math.floor(math.log10(rough))
    return tenth * next(nice for nice in _NICE if rough <= nice * tenth * (1 + 1e-9))


def _written(value: float, format: str) -> str:
    """Return a tick's number in one of the formats of `charts.units.tick_format`."""
    size = abs(value)
    if format.endswith("e") and size:
        return f"{value:.2e}"
    if format.endswith("s") and size >= 1_000:
        power = min(5, int(math.log10(size) // 3))
        return f"{value / 1000**power:.6g}" + " kMGTP"[power]
    return f"{float(f'{value:.6g}'):,}".removesuffix(".0")
