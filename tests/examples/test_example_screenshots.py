"""The invented fleet of the screenshots: the same every time, and what the app takes."""

from __future__ import annotations

import pytest

from collector.events import from_wire
from examples.invented import HOURS, metrics, names
from examples.screenshots import LOOKS, STATES, TABS

NOW_MS = 1_795_300_325_000


@pytest.mark.parametrize("sources", [6, 50])
def test_the_same_day_is_invented_every_time(sources: int) -> None:
    day = metrics(sources, now_ms=NOW_MS, pages=600)
    assert day == metrics(sources, now_ms=NOW_MS, pages=600)
    assert {one["scraperSource"] for one in day if "scraperSource" in one} == set(names(sources))
    assert all(NOW_MS - HOURS * 3_600_000 <= one["recordedAt"] <= NOW_MS for one in day)


def test_every_invented_metric_is_one_that_the_app_takes() -> None:
    for one in metrics(6, now_ms=NOW_MS, pages=300):
        from_wire(one, now_ms=NOW_MS)


def test_all_tabs_are_taken_in_all_states_and_looks() -> None:
    from components.nav import TABS as THERE

    assert {tab.name: tab.path for tab in THERE} == TABS
    assert list(STATES) == ["empty", "demo", "fifty"]
    assert list(LOOKS) == ["light", "dark", "phone"]
