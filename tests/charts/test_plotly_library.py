"""plotly.js is served without the kinds of charts that nobody draws."""

from __future__ import annotations

import re
from pathlib import Path

import plotly
import pytest

from charts.plotly.library import KINDS, with_needed_kinds

_FIGURES = Path(__file__).resolve().parents[2] / "charts" / "plotly"


@pytest.fixture(scope="module")
def library() -> str:
    """plotly.js as it is installed."""
    return (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def test_the_installed_library_registers_the_needed_kinds_and_is_otherwise_the_same(library: str) -> None:
    short = with_needed_kinds(library)
    before, after = (re.findall(r"\.register\(\[(.*?)\]\)", text) for text in (library, short))
    assert len(before) == len(after) == 1
    names = after[0].split(",")
    assert len(names) == len(KINDS)
    assert set(names) < set(before[0].split(","))
    assert short.replace(after[0], before[0]) == library


def test_what_is_no_such_file_stays_as_it_is() -> None:
    for text in ("", "var Plotly=1;", "x.register([a(),b()]);", "x.register([a()]);y.register([b()])"):
        assert with_needed_kinds(text) == text


def test_kinds_that_cannot_be_told_stay() -> None:
    parts = "".join(
        f'var {name}=W((e,t)=>{{t.exports={{moduleType:"trace",name:"{kind}"}}}});'
        for name, kind in (*((f"a{place}", kind) for place, kind in enumerate(sorted(KINDS))), ("map", "scattermap"))
    )
    needed = ",".join(f"a{place}()" for place in range(len(KINDS)))
    text = parts + "var go=W((e,t)=>{r.register([%s])});"
    assert with_needed_kinds(text % f"{needed},map(),odd()") == text % f"{needed},odd()"


def test_every_kind_that_figures_are_made_of_is_needed() -> None:
    # Axes, shapes and dashes have types as well.
    other = {"date", "log", "category", "linear", "rect", "line", "path", "circle", "-"}
    found = {
        kind
        for path in _FIGURES.glob("*.py")
        for kind in re.findall(r'"type": "([\w-]+)"', path.read_text(encoding="utf-8"))
    }
    assert found - other == KINDS | {"scatter"}
