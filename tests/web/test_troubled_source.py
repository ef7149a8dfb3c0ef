"""What the router makes of mistakes: a page that can't be shown says so, is counted, and can be tried again."""

from __future__ import annotations

from typing import Any

import pytest

from charts import make_adapter
from components.view import View
from db.errors import DatabaseUnavailable, NotAddedUpYet
from db.health import HealthTracker
from db.results import FilterChoices
from tests.pages.memory_queries import MemoryQueries
from tests.pages.tree import components_of
from web.router import PageSource


class WellStore:
    """A store that has nothing to complain of."""

    def health(self) -> Any:
        return HealthTracker(lambda: 0).snapshot()


@pytest.fixture
def source() -> PageSource:
    return PageSource(MemoryQueries(), make_adapter("plotly"), WellStore(), database="sqlite:///x")  # type: ignore[arg-type]


def fails(trouble: Exception) -> Any:
    def raise_it(*_: Any, **__: Any) -> None:
        raise trouble

    return raise_it


def test_a_page_that_fails_as_a_whole_says_so_and_is_counted_once(
    source: PageSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source.queries, "overview", fails(ArithmeticError("out of numbers")))
    loaded = source.load("/", "?from=now-6h")
    texts = [str(getattr(component, "children", "")) for component in components_of(loaded.layout)]
    assert loaded.broken
    assert loaded.content is None
    assert "✕ Overview can’t be shown" in texts
    assert "ArithmeticError: out of numbers" in texts
    assert "/?from=now-6h" in [getattr(component, "href", "") for component in components_of(loaded.layout)]
    assert source.troubles.stats() == {"partsFailed": 1, "failedParts": {"overview": 1}}
    assert not source.load("/scheduler", "").broken


def test_a_page_whose_database_is_away_is_not_broken(source: PageSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source.queries, "overview", fails(DatabaseUnavailable("sqlite:///x", "gone")))
    loaded = source.load("/", "")
    assert not loaded.broken
    assert loaded.content is None
    assert source.troubles.stats()["partsFailed"] == 0


@pytest.mark.parametrize("trouble", [DatabaseUnavailable("sqlite:///x", "gone"), NotAddedUpYet(0)])
def test_the_filter_bar_goes_on_while_nobody_knows_what_can_be_chosen(
    source: PageSource, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    monkeypatch.setattr(source.queries, "filter_choices", fails(trouble))
    assert source.choices(View()) == FilterChoices()
