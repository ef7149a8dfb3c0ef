"""The palette: contrast on light and dark, distinctness for colour-blind readers, and stability."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charts import theme
from charts.theme import FIXED_TONES, PRIMARY_TONES, TONES, Palette, heat_scale, with_alpha

Array = npt.NDArray[np.float64]
ALL = sorted({*TONES, *FIXED_TONES.values()})

# Machado, Oliveira, Fernandes (2009), severity 1.0, applied to linear RGB.
SIGHTS = {
    "normal": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(tone: str) -> Array:
    """Return linear RGB of #rrggbb (IEC 61966-2-1)."""
    srgb = np.array([int(tone[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of WCAG 2.1."""
    low, high = sorted(float(linear(tone) @ [0.2126, 0.7152, 0.0722]) for tone in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Array) -> Array:
    """Return CIE L*a*b* (D65) of linear RGB."""
    matrix = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = matrix @ rgb / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: Array, other: Array) -> float:
    """Return the colour difference of two L*a*b* colours (Sharma, Wu, Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)))
    c1, c2 = np.hypot(a1 * (1 + g), b1), np.hypot(a2 * (1 + g), b2)
    h1, h2 = (np.degrees(np.arctan2(b, a * (1 + g))) % 360 for a, b in ((a1, b1), (a2, b2)))
    dh = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    big_dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2))
    mean_l, c = (l1 + l2) / 2, (c1 + c2) / 2
    h = h1 + h2 if c1 * c2 == 0 else (h1 + dh / 2) % 360
    t = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * c, 1 + 0.015 * c * t
    r = -np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))) * 2 * np.sqrt(c**7 / (c**7 + 25.0**7))
    dl, dc, dhs = (l2 - l1) / s_l, (c2 - c1) / s_c, big_dh / s_h
    return float(np.sqrt(dl**2 + dc**2 + dhs**2 + r * dc * dhs))


def difference(one: str, other: str, sight: str) -> float:
    return ciede2000(*(lab(np.clip(SIGHTS[sight] @ linear(tone), 0, 1)) for tone in (one, other)))


def smallest_difference(tones: tuple[str, ...], sight: str) -> float:
    return min(difference(one, other, sight) for one, other in itertools.combinations(tones, 2))


def test_the_difference_formula_gives_the_published_values() -> None:
    # Pairs 1, 7 and 17 of Sharma, Wu, Dalal (2005), table 1.
    for one, other, published in (
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ):
        assert ciede2000(np.array(one, float), np.array(other, float)) == pytest.approx(published, abs=1e-4)


@pytest.mark.parametrize("background", ["#ffffff", "#1a1b1e"])
@pytest.mark.parametrize("tone", ALL)
def test_every_tone_stands_out_from_light_and_dark(tone: str, background: str) -> None:
    assert contrast(tone, background) >= 3.0


@pytest.mark.parametrize(("theme_name", "least"), [("light", 4.5), ("dark", 4.5)])
def test_text_of_exported_pictures_is_readable(theme_name: str, least: float) -> None:
    chrome = theme.CHROME[theme_name]
    assert contrast(chrome.text, chrome.background) >= least
    assert contrast(chrome.dimmed, chrome.background) >= least


@pytest.mark.parametrize(
    ("sight", "ten", "twenty"),
    [("normal", 13, 11), ("deuteranopia", 8.5, 6), ("protanopia", 8.5, 6), ("tritanopia", 5, 5)],
)
def test_tones_differ_for_everybody(sight: str, ten: float, twenty: float) -> None:
    # A difference of 2.3 is just noticeable; five times as much within the narrow band of lightness can't be had.
    assert smallest_difference(PRIMARY_TONES, sight) >= ten
    assert smallest_difference(TONES, sight) >= twenty


@pytest.mark.parametrize("sight", list(SIGHTS))
def test_neighbours_in_the_palette_differ_more_than_any_two(sight: str) -> None:
    assert min(difference(one, other, sight) for one, other in itertools.pairwise(TONES)) >= 7


@pytest.mark.parametrize("sight", list(SIGHTS))
def test_ok_and_failed_differ_for_everybody_and_in_grey(sight: str) -> None:
    assert difference(theme.OK, theme.FAILED, sight) >= 15
    lightness = [lab(linear(tone))[0] for tone in (theme.OK, theme.FAILED)]
    assert lightness[0] - lightness[1] >= 10


@pytest.mark.parametrize("prefix", ["series:", "outcome:"])
def test_the_fixed_tones_of_one_chart_differ(prefix: str) -> None:
    names = (
        ("mean", "p50", "p95", "p99") if prefix == "series:" else ("ok", "empty", "blocked", "parse error", "network")
    )
    tones = tuple(FIXED_TONES[prefix + name] for name in names)
    for sight in SIGHTS:
        assert smallest_difference(tones, sight) >= 9


def test_a_key_keeps_its_tone_in_another_process() -> None:
    code = "from charts.theme import Palette; p = Palette(['a', 'b', 'cnbc']); print(p.colour('cnbc'), p.colour('new'))"
    root = Path(__file__).parents[2]
    here = Palette(["b", "cnbc", "a"])
    there = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert there.stdout.split() == [here.colour("cnbc"), here.colour("new")]


@given(st.sets(st.text(max_size=12), max_size=20))
def test_up_to_twenty_sources_have_twenty_tones(names: set[str]) -> None:
    palette = Palette(names)
    assert len({palette.colour(name) for name in names if name not in FIXED_TONES}) >= len(names - set(FIXED_TONES))


@given(st.sets(st.text(max_size=12), max_size=10))
def test_up_to_ten_sources_get_the_most_distinct_tones(names: set[str]) -> None:
    assert {Palette(names).colour(name) for name in names - set(FIXED_TONES)} <= set(PRIMARY_TONES)


@given(st.sets(st.text(max_size=12), min_size=41, max_size=60))
def test_many_sources_share_the_tones_evenly(names: set[str]) -> None:
    palette = Palette(names)
    tones = [palette.colour(name) for name in names - set(FIXED_TONES)]
    assert max(tones.count(tone) for tone in TONES) <= 3


def test_a_new_source_rarely_recolours_one_that_was_there() -> None:
    changed = 0
    for number in range(50):
        names = [f"source {number}/{index}" for index in range(8)]
        before, after = Palette(names), Palette([*names, "new"])
        changed += sum(before.colour(name) != after.colour(name) for name in names)
    assert changed / (50 * 8) < 0.15


def test_unknown_keys_of_one_chart_step_aside_for_each_other() -> None:
    keys = [f"attempt {number}" for number in range(20)]
    assert len(set(Palette().colours(keys).values())) == 20


def test_known_sources_keep_their_tone_beside_unknown_keys() -> None:
    palette = Palette(["cnbc"])
    assert palette.colours(["x", "cnbc", "y"])["cnbc"] == palette.colour("cnbc")


def test_a_source_called_like_a_meaning_gets_a_tone_of_its_own() -> None:
    palette = Palette(["ok", "failed", "mean"])
    assert palette.colour("ok") in TONES
    assert palette.colour("series:mean") == theme.ACCENT


def test_a_lone_surrogate_has_a_colour() -> None:
    assert Palette().colour("\ud800") in TONES


def test_opacity_is_written_as_rgba() -> None:
    assert with_alpha("#102030", 0.5) == "rgba(16,32,48,0.5)"


def test_the_heat_scale_rises_from_faint_to_full() -> None:
    stops = [step for step, _ in heat_scale()]
    assert stops[0] == 0
    assert stops[-1] == 1
    assert stops == sorted(stops)
