"""The stylesheets: contrast in both schemes, nothing fetched from elsewhere, no class that nothing draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.nav import TABS

ASSETS = Path(__file__).parents[2] / "assets"
SHEETS = sorted(path for path in ASSETS.glob("*.css") if path.name != "charts.css")
BASE = (ASSETS / "base.css").read_text(encoding="utf-8")


def tokens(selector: str) -> dict[str, str]:
    block = BASE.split(f"{selector} {{", 1)[1].split("}", 1)[0]
    return dict(re.findall(r"--sb-([\w-]+): (#[0-9a-f]{6});", block))


def luminance(colour: str) -> float:
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


SCHEMES = {"light": tokens(":root"), "dark": tokens(':root[data-mantine-color-scheme="dark"]')}


@pytest.mark.parametrize("scheme", list(SCHEMES))
@pytest.mark.parametrize("ink", ["text", "dim", "accent", "ok", "warn", "bad"])
@pytest.mark.parametrize("paper", ["bg", "card", "raised"])
def test_texts_stand_out_as_wcag_aa_asks(scheme: str, ink: str, paper: str) -> None:
    assert contrast(SCHEMES[scheme][ink], SCHEMES[scheme][paper]) >= 4.5


@pytest.mark.parametrize("scheme", list(SCHEMES))
@pytest.mark.parametrize("ink", ["accent", "ok", "warn", "bad"])
def test_texts_stand_out_from_their_own_soft_ground(scheme: str, ink: str) -> None:
    if ink in ("accent", "warn", "bad", "ok"):
        assert contrast(SCHEMES[scheme][ink], SCHEMES[scheme][f"{ink}-soft"]) >= 4.5


@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_borders_of_controls_can_be_seen(scheme: str) -> None:
    assert contrast(SCHEMES[scheme]["control"], SCHEMES[scheme]["card"]) >= 3


def test_both_schemes_define_the_same_colours() -> None:
    assert SCHEMES["light"].keys() == SCHEMES["dark"].keys()


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_nothing_is_fetched_from_elsewhere(sheet: Path) -> None:
    text = sheet.read_text(encoding="utf-8")
    assert "@import" not in text
    assert all(url.startswith("data:image/svg+xml,") for url in re.findall(r'url\("?([^")]*)', text))


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_a_stylesheet_says_what_it_is_about_and_stays_short(sheet: Path) -> None:
    text = sheet.read_text(encoding="utf-8")
    assert text.startswith("/* ")
    assert text.count("\n") <= 400


def test_every_icon_that_is_drawn_has_a_shape() -> None:
    root = ASSETS.parent
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in [*root.glob("components/*.py"), *root.glob("pages/*.py")]
    )
    drawn = set(re.findall(r'icon\("([\w-]+)"\)', code)) | {tab.icon for tab in TABS}
    shapes = set(re.findall(r"\.icon-([\w-]+) \{", (ASSETS / "icons.css").read_text(encoding="utf-8")))
    assert drawn == shapes


def test_every_class_of_the_stylesheets_is_drawn_somewhere() -> None:
    root = ASSETS.parent
    code = "\n".join(
        path.read_text(encoding="utf-8") for path in [*root.glob("components/*.py"), *root.glob("pages/*.py")]
    )
    computed = re.compile(
        r"(ag|icon|hljs|pill|beat|word|filter|scraper|page|mantine|(number|time|name|clip|status)-[hc])-?.*"
    )
    for sheet in SHEETS:
        for name in set(
            re.findall(
                r"\.([a-z][\w-]+)", re.sub(r"/\*.*?\*/|\"[^\"]*\"", "", sheet.read_text(encoding="utf-8"), flags=re.S)
            )
        ):
            if not computed.fullmatch(name):
                assert re.search(rf"[\"' ]{name}[\"' {{]", code), f"{sheet.name}: .{name}"
