"""Colours: a palette that colour-blind people can tell apart, and which tone a colour key gets.

A drawing doesn't know whether the page around it is light or dark, so every tone must stand out from both white and
#1a1b1e (contrast of at least 3:1, WCAG 2.1 section 1.4.11). That leaves a narrow band of lightness; the tones were
placed in it by maximising the smallest colour difference (CIEDE2000) as seen with normal, deuteranopic and protanopic
sight (Machado, Oliveira, Fernandes 2009), starting from the hues of Okabe and Ito (2008). tests/charts/test_theme.py
measures all of that again, and with tritanopic sight, which is the rarest and which they were not made for: there the
nearest two of them are 5 apart (2.3 is just noticeable).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from charts.info import ACCENT_KEY, FAILED_KEY, MUTED_KEY, OK_KEY, WARNING_KEY

# The most distinct tones: a fleet of up to ten sources gets these alone.
PRIMARY_TONES = (
    "#357ca0", "#e86903", "#25a37e", "#d03493", "#ae8f50",
    "#6057cf", "#2995fd", "#c33627", "#58804b", "#067971",
)  # fmt: skip
# What larger fleets get besides.
SECONDARY_TONES = (
    "#9e78c6", "#6d9a94", "#835f55", "#6a6483", "#fa4e83",
    "#b57064", "#96556a", "#459c19", "#3a72f8", "#8e90b2",
)  # fmt: skip
TONES = PRIMARY_TONES + SECONDARY_TONES

ACCENT = "#228be6"
MUTED = "#868e96"
OK = "#16a07a"  # lighter than FAILED, so that the two differ in a grey print too
FAILED = "#c92a2a"
WARNING = "#c77d00"

# Keys whose tone is a matter of meaning, alike on every chart. No source can be mistaken for one: pages write the
# prefix, sources are written bare.
FIXED_TONES: Mapping[str, str] = MappingProxyType(
    {
        ACCENT_KEY: ACCENT,
        MUTED_KEY: MUTED,
        OK_KEY: OK,
        FAILED_KEY: FAILED,
        WARNING_KEY: WARNING,
        "series:mean": ACCENT,
        "series:p50": OK,
        "series:p95": "#d9700a",
        "series:p99": "#c43c82",
        "series:navigations": ACCENT,
        "series:scrapes": "#d9700a",
        "series:items": OK,
        "series:errors": FAILED,
        "outcome:ok": OK,
        "outcome:empty": MUTED,
        "outcome:blocked": WARNING,
        "outcome:parse error": "#7a4fd0",
        "outcome:network": FAILED,
        "outcome:failed": FAILED,
    }
)


@dataclass(frozen=True, slots=True)
class Chrome:
    """The colours of everything that isn't data, for exported pictures; on a page `assets/charts.css` sets them.

    Attributes:
        background: Behind the chart.
        text: Title and values.
        dimmed: Axis labels, legend, footer.
        grid: Grid lines.
    """

    background: str
    text: str
    dimmed: str
    grid: str


CHROME: Mapping[str, Chrome] = MappingProxyType(
    {
        "light": Chrome(background="#ffffff", text="#1a1b1e", dimmed="#5c636a", grid="#e9ecef"),
        "dark": Chrome(background="#1a1b1e", text="#f1f3f5", dimmed="#a6a7ab", grid="#2f3136"),
    }
)

FONT_FAMILY = "-apple-system, BlinkMacSystemFont, Segoe UI, Roboto, Helvetica, Arial, sans-serif"


def with_alpha(tone: str, alpha: float) -> str:
    """Return the tone `#rrggbb` as `rgba(...)` with this opacity of 0..1."""
    return f"rgba({int(tone[1:3], 16)},{int(tone[3:5], 16)},{int(tone[5:7], 16)},{alpha:g})"


def heat_scale(tone: str = ACCENT) -> list[list[float | str]]:
    """Return a sequential scale [[0, colour], ..., [1, colour]] that rises from almost the page's own background.

    It is built of one tone's opacity, so that "little" is faint and "much" is strong on light and on dark alike.
    """
    return [[step, with_alpha(tone, alpha)] for step, alpha in ((0.0, 0.07), (0.25, 0.28), (0.6, 0.62), (1.0, 1.0))]


def _digest(key: str) -> bytes:
    # hash() differs from process to process; a source must keep its colour. Lone surrogates must not raise here.
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _preferences(key: str) -> list[str]:
    """Return all tones in the order in which this key would take them, the primary ones first."""
    digest = _digest(key)
    first, step = digest[0], (1, 3, 7, 9)[digest[1] % 4]  # steps that reach all ten
    return [tones[(first + index * step) % 10] for tones in (PRIMARY_TONES, SECONDARY_TONES) for index in range(10)]


class Palette:
    """Which tone each colour key gets: a pure function of the key and of the set of names known.

    Known names (the fleet's sources) get tones of their own as long as there are tones, the same on every chart.

    Args:
        names: The sources of the whole fleet.
    """

    __slots__ = ("_tones", "names")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        used = dict.fromkeys(TONES, 0)
        self._tones: dict[str, str] = {}
        # Ordered by digest, not by name: a new source then rarely takes the tone of one that was there before.
        for name in sorted(self.names, key=lambda name: (_digest(name), name)):
            tone = min(_preferences(name), key=used.__getitem__)  # the first of the least used
            used[tone] += 1
            self._tones[name] = tone

    def colour(self, key: str) -> str:
        """Return the tone `#rrggbb` of one key."""
        return FIXED_TONES.get(key) or self._tones.get(key) or _preferences(key)[0]

    def colours(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the tones of all keys of one chart.

        A key that is neither fixed nor known steps aside when its tone is taken, so that a chart's own names
        ("attempt 1", "attempt 2") differ too.
        """
        tones = {key: tone for key in keys if (tone := FIXED_TONES.get(key) or self._tones.get(key))}
        used = dict.fromkeys(TONES, 0)
        for tone in tones.values():
            if tone in used:
                used[tone] += 1
        for key in keys:
            if key not in tones:
                tones[key] = min(_preferences(key), key=used.__getitem__)
                used[tones[key]] += 1
        return tones
