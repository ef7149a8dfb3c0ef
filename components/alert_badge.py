"""A status badge as SVG, for a README: how many alerts fire. Small, without scripts, without anything fetched."""

from __future__ import annotations

from typing import Final

from charts.xml import xml_text

_GREEN: Final = "#0a6e4d"
_ORANGE: Final = "#8a5200"
_RED: Final = "#b42323"
_GREY: Final = "#5a626d"
_CHAR_PX: Final = 6.6  # of the font below, on average
_PAD_PX: Final = 7


def badge_svg(label: str, firing: int, pending: int, *, critical: bool) -> str:
    """Draw the badge.

    Args:
        label: What stands on the left.
        firing: How many alerts fire.
        pending: How many are about to.
        critical: Whether one that fires is critical.
    """
    words = f"{firing:,} firing" if firing else f"{pending:,} pending" if pending else "all quiet"
    return _svg(label, words, _RED if critical else _ORANGE if firing or pending else _GREEN)


def unknown_badge_svg(label: str) -> str:
    """Draw the badge of a board whose database doesn't answer.

    Args:
        label: What stands on the left.
    """
    return _svg(label, "unknown", _GREY)


def _svg(label: str, words: str, colour: str) -> str:
    left, right = (round(len(text) * _CHAR_PX) + 2 * _PAD_PX for text in (label, words))
    label, words = xml_text(label), xml_text(words)
    text = 'y="14" fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{label}: {words}"><title>{label}: {words}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3a3e45"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<text x="{left / 2:g}" {text}>{label}</text><text x="{left + right / 2:g}" {text}>{words}</text></svg>'
    )
