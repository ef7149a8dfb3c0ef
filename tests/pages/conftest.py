"""What the tests of pages share: an adapter and fleets of different sizes."""

from __future__ import annotations

import pytest

from charts import make_adapter
from charts.base import ChartAdapter
from tests.pages.invented import fleet
from tests.pages.memory_queries import MemoryQueries
from tests.pages.remembering import RememberingQueries

WEIRD_NAMES = ("<script>alert(1)</script>", "🦊" * 50, "W" * 50, "a/b?c#d&e=f%", "‮evil", "all others", "accent")


@pytest.fixture(params=["plotly", "altair"])
def adapter(request: pytest.FixtureRequest) -> ChartAdapter:
    return make_adapter(request.param)


@pytest.fixture(scope="session")
def six() -> MemoryQueries:
    made = fleet(["robinhood", "cnbc", "bloomberg", "reuters", "yahoo-finance", "sec-edgar"], hours=1)
    return RememberingQueries(made)


FLEETS = {
    "empty": MemoryQueries(),
    "one": RememberingQueries(fleet(["robinhood"], hours=0.5)),
    "weird": RememberingQueries(fleet(WEIRD_NAMES, hours=0.5)),
    "sixty": RememberingQueries(fleet([f"scraper-{n:02d}" for n in range(60)], hours=0.3)),
}


@pytest.fixture(params=list(FLEETS))
def any_fleet(request: pytest.FixtureRequest) -> MemoryQueries:
    return FLEETS[request.param]
