"""One question that can't be answered takes its own chart or table away, not the page."""

from __future__ import annotations

import json
from typing import Any

import plotly.utils
import pytest

from charts import make_adapter
from components.trouble import Troubles, noting
from components.view import View
from db.queries import Queries
from pages import PAGES
from pages.page import Page
from tests.pages.invented import fleet
from tests.pages.memory_queries import NOW_MS, MemoryQueries

# What a page can't do without: it says so as a whole (web.router).
HEART = {
    "overview": {"overview"},
    "scrapers": {"sources"},
    "scraper": {"overview"},
    "alerts": {"alert_board"},
    "events": {"open_events", "event_count"},
    "event": {"event_detail", "url_history"},
}
ALWAYS_NEEDED = {"source_names", "last_recorded_ms"}
QUESTIONS = sorted(
    name
    for name, value in vars(MemoryQueries).items()
    if callable(value) and not name.startswith("_") and hasattr(Queries, name) and name not in ALWAYS_NEEDED
)


def path_of(page: Page) -> str:
    return "/scrapers/robinhood" if page.path == "/scrapers/" else page.path


@pytest.fixture(scope="module")
def queries() -> MemoryQueries:
    return fleet(["robinhood", "cnbc"], hours=0.3)


class Failing:
    """Queries of which one can't be answered; the others don't go through it."""

    def __init__(self, queries: MemoryQueries, question: str) -> None:
        self._queries, self._question = queries, question
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return self._fail if name == self._question else getattr(self._queries, name)

    def _fail(self, *_: Any, **__: Any) -> None:
        self.asked += 1
        raise RuntimeError("no answer to this")


@pytest.mark.parametrize(
    ("page", "question"),
    [
        pytest.param(page, question, id=f"{page.name}-{question}")
        for page in PAGES
        for question in QUESTIONS
        if question not in HEART.get(page.name, ())
    ],
)
def test_the_rest_of_a_page_is_there_when_one_question_fails(page: Page, question: str, queries: MemoryQueries) -> None:
    adapter, view = make_adapter("plotly"), View.parse(path_of(page), "")
    whole = page.content(queries, adapter, view, NOW_MS)
    failing: Any = Failing(queries, question)
    troubles = Troubles()
    with noting(troubles.note):
        content = page.content(failing, adapter, view, NOW_MS)
    layout = json.dumps(page.layout(view, content), cls=plotly.utils.PlotlyJSONEncoder)
    assert content.keys() == whole.keys()
    assert troubles.stats()["partsFailed"] == layout.count("no answer to this") == failing.asked
    troubled = {part for failed in troubles.stats()["failedParts"] for part in _parts_of(failed)}
    assert all(_plain(content[id]) == _plain(whole[id]) for id in content.keys() - troubled)


def _plain(props: Any) -> str:
    return json.dumps(props, cls=plotly.utils.PlotlyJSONEncoder)


def _parts_of(id: str) -> tuple[str, ...]:
    return (id, f"{id}-title", f"{id}-words", f"{id}-note", f"{id}-rows")
