"""The charts of one scraper's page: exact infos."""

from __future__ import annotations

import numpy as np

from charts.info import ACCENT_KEY, FAILED_KEY, OK_KEY, WARNING_KEY, BarInfo
from components import scraper_infos
from db.results import Series, TimeRange

RANGE = TimeRange(1_795_348_800_000, 1_795_349_400_000, 300_000)


def series(*, navigations: list[int], scrapes: list[int], ok: list[int]) -> Series:
    total, good = np.array(navigations) + np.array(scrapes), np.array(ok)
    none = np.full(2, np.nan)
    return Series(
        RANGE.bucket_starts(), np.array(navigations), np.array(scrapes), good, total - good, total, total, none, none,
        none, none,
    )  # fmt: skip


LOADS = series(navigations=[60, 40], scrapes=[0, 0], ok=[55, 40])
SCRAPES = series(navigations=[0, 0], scrapes=[50, 40], ok=[48, 37])


def test_the_funnel_tells_how_many_are_left_after_each_step() -> None:
    assert scraper_infos.funnel(LOADS, SCRAPES, {"ok": 80, "empty": 5}, 70) == BarInfo(
        title="From page to items",
        description="100 navigations, 95 loaded, 90 scrapes, 80 outcome ok, 70 with items: "
        "70.0\u00a0% of the navigations.",
        categories=("navigations", "loaded", "scrapes", "outcome ok", "with items"),
        values=(100, 95, 90, 80, 70),
        horizontal=True,
        colour_keys=(ACCENT_KEY,) * 5,
        value_title="pages",
    )


def test_a_step_that_is_not_known_is_left_out_and_said() -> None:
    info = scraper_infos.funnel(LOADS, SCRAPES, {"ok": 80}, None)
    assert info.categories[-1] == "outcome ok"
    assert info.description.endswith("isn’t kept for so long a range.")
    nothing = series(navigations=[0, 0], scrapes=[0, 0], ok=[0, 0])
    assert "no navigation is recorded" in scraper_infos.funnel(nothing, nothing, {}, 0).description


def test_results_tell_failed_loads_from_failed_scrapes() -> None:
    assert scraper_infos.results(LOADS, SCRAPES, RANGE) == BarInfo(
        title="Results over time",
        description="Navigations and scrapes per bucket: 180 went well, 5 navigations and 5 scrapes failed.",
        categories=("12:00", "12:05"),
        groups=(
            ("ok", np.array([103, 77])),
            ("failed navigations", np.array([5, 0])),
            ("failed scrapes", np.array([2, 3])),
        ),
        colour_keys=(OK_KEY, FAILED_KEY, WARNING_KEY),
        stacked=True,
        value_title="metrics",
        ordered=True,
    )
