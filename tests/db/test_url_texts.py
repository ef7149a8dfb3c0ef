"""URLs of a span are told by their hashes, and by their texts where somebody asks for these."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.hashes import hash_of
from db.url_pack import UrlIndex
from db.url_packing import UrlPacks
from db.url_texts import UrlTexts
from tests.db.old_url_packs import BY_URL
from tests.db.packed_day import PackedDay
from tests.db.samples import navigation
from tests.db.test_filtered_rows import nasty_urls
from tests.db.test_url_rows import some_metrics

AT_MS = 1_700_000_000_000


@given(st.lists(nasty_urls, min_size=1, max_size=8, unique=True), st.sets(st.integers(0, 7)), nasty_urls)
def test_each_url_has_its_hash_and_its_text(urls: list[str], some: set[int], text: str) -> None:
    day = PackedDay([navigation(at_ms=AT_MS + place, url=url) for place, url in enumerate(urls)])
    kept = sorted(urls)
    numbers = np.array(sorted({place % len(urls) for place in some}), dtype=np.int64)
    wanted = [kept[number] for number in numbers.tolist()]
    texts = UrlTexts(UrlIndex(day.packs.once, day.start_ms), numbers)
    assert texts.value.tolist() == [hash_of(url) for url in wanted]
    for _ in range(2):  # the second time, they are remembered
        assert texts.find([hash_of(url) for url in (*urls, "of no row")]) == {hash_of(url): url for url in wanted}
    assert texts.holding(text.lower()).tolist() == [hash_of(url) for url in wanted if text.lower() in url.lower()]


@pytest.mark.parametrize("packs", BY_URL)
def test_urls_of_packs_without_hashes_have_the_same_ones(packs: UrlPacks) -> None:
    of_now, before = (UrlIndex(own.once, 0) for own in (PackedDay(some_metrics()[:30]).packs, packs))
    numbers = np.arange(0, len(before.url_texts(np.arange(4))), 2)
    assert UrlTexts(before, numbers).value.tolist() == UrlTexts(of_now, numbers).value.tolist() != []
