"""The start page: the chosen theme from the first byte, a language, and a title that belongs to the page shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dash import html

from components.theme_picker import COOKIE
from components.view import View
from web.index import ThemedDash
from web.router import page_title


@pytest.fixture
def client() -> Iterator[Any]:
    dash = ThemedDash("web.index")
    dash.layout = html.Div()
    with dash.server.test_client() as browser:
        yield browser


def test_nothing_is_forced_on_a_browser_that_chose_nothing(client: Any) -> None:
    page = client.get("/").get_data(as_text=True)
    assert '<html lang="en">' in page
    assert "<title>" not in page  # the shell's own title would not count beside it


def test_the_chosen_theme_is_there_before_anything_is_drawn(client: Any) -> None:
    client.set_cookie(COOKIE, "dark")
    assert '<html data-mantine-color-scheme="dark" lang="en">' in client.get("/").get_data(as_text=True)


def test_a_forged_cookie_writes_nothing_into_the_page(client: Any) -> None:
    client.set_cookie(COOKIE, 'dark"><script>')
    assert "data-mantine-color-scheme" not in client.get("/").get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "title"),
    [("/", "Overview"), ("/scrapers", "Scrapers"), ("/scrapers/cn%20bc", "cn bc"), ("/nope", "Not found")],
)
def test_the_title_says_which_page_it_is(path: str, title: str) -> None:
    assert page_title(View.parse(path, "?from=now-6h")) == f"{title} · Scrapeboard"
