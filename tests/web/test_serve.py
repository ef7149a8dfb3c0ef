"""What the web server is told."""

from __future__ import annotations

from typing import Any

from collector.fields import MAX_URL_CHARS
from components.view import View
from settings import Settings
from web.serve import Server


def never(_settings: Settings) -> Any:
    raise AssertionError("nothing is served here")


def test_link_to_the_longest_page_is_no_longer_than_a_request_may_be() -> None:
    page = "https://shop.example/?".ljust(MAX_URL_CHARS, "&")
    link = View(path="/navigation", from_="2026-11-22T10:00", sources=("shop",), url=page).href()
    server = Server(Settings(), never)
    assert 4_094 < len(f"GET {link} HTTP/1.1") <= server.cfg.limit_request_line
