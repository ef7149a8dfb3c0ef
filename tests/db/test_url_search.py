"""A text is looked for in the URLs of rows in memory, each of them once, and found as plain Python finds it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from db.recent import RecentDetail
from db.results import Filter
from db.url_search import UrlSearch, having
from tests.db.samples import NOON_MS, navigation
from tests.db.test_filtered_rows import nasty_urls


def found(recent: RecentDetail, text: str, start_ms: int | None = None) -> list[str]:
    urls: list[str] = recent.columns(start_ms).matching(Filter(url_contains=text)).url.tolist()
    return urls


@given(
    st.lists(st.one_of(nasty_urls, st.text("aAΣ/\n", max_size=4))), st.one_of(nasty_urls, st.text("aσς/\n", max_size=2))
)
def test_texts_that_have_another_in_them_are_those_that_python_finds(texts: list[str], wanted: str) -> None:
    assert having(wanted.lower(), texts) == [wanted.lower() in text.lower() for text in texts]


@settings(max_examples=30)
@given(
    st.lists(st.lists(nasty_urls, min_size=1, max_size=5), min_size=1, max_size=6),
    nasty_urls.filter(bool), st.sampled_from([3, 40, 1000]), st.booleans(),
)  # fmt: skip
def test_any_text_is_found_while_rows_come_and_go(
    batches: list[list[str]], text: str, max_rows: int, warm: bool
) -> None:
    recent = RecentDetail(max_rows)
    for at, urls in enumerate(batches):
        if at % 3 == 2:  # the order of arrival is not that of time
            recent.append([navigation(at_ms=NOON_MS + at * 50 - 60, url=url) for url in urls])
        recent.append([navigation(at_ms=NOON_MS + at * 50 + second, url=url) for second, url in enumerate(urls * 9)])
        if warm:
            recent.warm()
        kept: list[str] = recent.columns().url.tolist()
        assert found(recent, text) == [url for url in kept if text.lower() in url.lower()]
        assert found(recent, text, NOON_MS + 20) == [
            url for url in recent.columns(NOON_MS + 20).url.tolist() if text.lower() in url.lower()
        ]


def test_each_url_is_looked_at_once_for_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def having(_: str, texts: list[str]) -> list[bool]:
        looked.append(len(texts))
        return ["/7" in text for text in texts]

    monkeypatch.setattr("db.url_search.having", having)
    recent = RecentDetail(1000)  # in chunks of 31 rows
    urls = [f"https://shop.example/{number}" for number in range(10)]
    recent.append([navigation(at_ms=NOON_MS + at, url=url) for at, url in enumerate(urls * 20)])
    assert len(found(recent, "/7")) == 20
    assert len(found(recent, "/7", NOON_MS + 55)) == 15
    recent.append([navigation(at_ms=NOON_MS + 1_000, url=url) for url in (urls[7], "https://shop.example/70")])
    assert len(found(recent, "/7")) == 22
    assert sum(looked) <= 11


def test_no_more_urls_are_kept_than_there_is_room_for() -> None:
    recent = RecentDetail(100)
    for at in range(40):
        recent.append([navigation(at_ms=NOON_MS + at, url=f"https://{at}.example/{number}") for number in range(20)])
        assert len(found(recent, "/7")) == len([url for url in recent.columns().url.tolist() if "/7" in url])
    search: UrlSearch = recent._search
    assert len(search._urls) <= 150
    assert len(search._hashes) == len(search._numbers) == len(search._urls)
