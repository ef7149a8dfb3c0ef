"""Saved views: whatever a browser has kept, the menu shows what can be used of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.saved_views import (
    LONGEST_HREF,
    LONGEST_NAME,
    MOST_VIEWS,
    SavedView,
    read_saved,
    saved_list,
    tidy,
    with_view,
)
from tests.pages.tree import components_of

MORNING = SavedView("Morning", "/navigation?from=now-24h")


def test_a_saved_view_is_read_back_with_its_canonical_link() -> None:
    saved, wrong = with_view((), "  Morning\n look ", "/?from=now-24h")
    assert (saved, wrong) == ((SavedView("Morning look", "/?from=now-24h"),), "")
    stored = [{"name": "Morning look", "href": "/?live=1&from=now-24h"}]
    assert read_saved(stored) == saved


def test_saving_under_a_name_again_replaces_the_view_in_its_place() -> None:
    other = SavedView("Other", "/")
    saved, wrong = with_view((MORNING, other), "Morning", "/scraping")
    assert (saved, wrong) == ((SavedView("Morning", "/scraping"), other), "")


def test_names_and_number_of_views_are_bounded() -> None:
    assert with_view((), "  ", "/")[1]
    assert with_view((), "long", "/?q=" + "x" * LONGEST_HREF)[1]
    many = tuple(SavedView(f"view {n}", "/") for n in range(MOST_VIEWS))
    saved, wrong = with_view(many, "one more", "/")
    assert saved == many
    assert "delete one" in wrong
    assert with_view(many, "view 3", "/scraping")[1] == ""
    assert len(tidy("x" * 500)) == LONGEST_NAME
    assert len(read_saved([{"name": f"v{n}", "href": "/"} for n in range(500)])) == MOST_VIEWS


DAMAGED = (None, "", 7, {}, {"name": "x"}, [None], [[]], [{"name": 1, "href": "/"}], [{"name": "x"}])


@pytest.mark.parametrize("stored", [*DAMAGED, [{"name": "", "href": "/"}]])
def test_damaged_storage_is_no_views(stored: Any) -> None:
    assert read_saved(stored) == ()
    assert saved_list(read_saved(stored), "/")


def test_a_kept_link_never_leads_out_of_the_app() -> None:
    stored = [
        {"name": "evil", "href": "javascript:alert(1)"},
        {"name": "far", "href": "https://evil.test/?from=now-1h"},
    ]
    for view in read_saved(stored):
        assert view.href.startswith("/")
        assert not view.href.startswith("//")


def anything(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner) | st.dictionaries(st.sampled_from(["name", "href", "x"]), inner)


@given(st.recursive(st.none() | st.integers() | st.text(), anything))
def test_no_stored_value_breaks_the_menu(stored: Any) -> None:
    saved = read_saved(stored)
    assert read_saved([{"name": view.name, "href": view.href} for view in saved]) == saved
    keys = [str(one.id) for one in components_of(saved_list(saved, "/")) if getattr(one, "id", None)]
    assert len(keys) == len(set(keys)) == len(saved)
