"""The view and its address: what goes in comes out, and nothing an address says can break it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.timerange import DAY_MS, HOUR_MS, MINUTE_MS, QUICK_RANGES, SECOND_MS
from components.view import View, source_of, source_path
from components.view_text import MOST_LABELS, MOST_OUTCOMES, MOST_SOURCES
from db.results import Filter, TimeRange

NOW_MS = 1_795_343_525_678  # 2026-11-22 10:32:05.678 UTC

moments = st.sampled_from(
    ["now", "now-15m", "now-6h", "now/d", "now-1d/d", "2026-11-22T10:00", "2026-11-22T10:00:00+02:00", "1795343525678"]
)
names = st.text(min_size=1, max_size=50)
printable = names.filter(lambda name: name.isprintable())
asked = st.fixed_dictionaries(
    {
        "from_": moments,
        "to": moments,
        "sources": st.lists(printable, max_size=4).map(tuple),
        "kind": st.sampled_from(["all", "navigation", "scrape"]),
        "result": st.sampled_from(["all", "ok", "failed"]),
        "outcomes": st.lists(st.text(max_size=20), max_size=3).map(tuple),
        "error": st.text(max_size=200).filter(lambda error: max(error, default="") < "\ud800"),
        "labels": st.lists(st.tuples(printable, st.text(max_size=20)).map("=".join), max_size=3).map(tuple),
        "q": st.text(max_size=30).filter(lambda q: max(q, default="") < "\ud800"),
        "compare": st.sampled_from(["", "before", "day", "week"]),
        "metric": st.sampled_from(["p95", "mean", "success", "volume", "items", "errors"]),
        "live": st.booleans(),
    }
)
views = st.builds(
    lambda path, said: replace(View.parse(path, View(**said).search()), problems=()),
    st.one_of(st.sampled_from(["/", "/scrapers", "/navigation"]), names.map(source_path)),
    asked,
)


@given(views)
def test_a_view_read_from_its_own_address_is_the_same_view(view: View) -> None:
    path, _, search = view.href().partition("?")
    again = View.parse(path, f"?{search}" if search else "")
    assert again == view
    assert again.href() == view.href()
    assert again.problems == ()


@given(st.text(max_size=200), st.text(max_size=400))
def test_no_address_breaks_the_view(pathname: str, search: str) -> None:
    view = View.parse(pathname, search)
    assert View.parse(*_split(view.href())) == view
    assert view.time_range(NOW_MS).bucket_count <= 151
    assert view.href().isascii()
    assert not view.href().startswith("//")


@pytest.mark.parametrize(
    "search",
    [
        "?from=banana", "?from=now&to=now-6h", "?from=1&to=2", "?from=now-100y", "?source=" + "x" * 51, "?result=maybe",
        "?" + "&".join(f"source=s{n}" for n in range(2_000)), "?from=%00&to=%ff%fe", "?from=now-10y&to=now&from=",
        "?from=2001-01-01&to=2099-01-01", "?from=now%2B1d", "?q=%ed%a0%80&source=%ed%a0%80", "?=&=&&&", "????", "?from",
        "?from=now-15m%0d%0aSet-Cookie:x", "?kind=banana&label=x&outcome=<script>alert(1)</script>&compare=soon",
        "?outcome=%00&label=%00=%0a&error=%00&kind=%00", "?label==&label=a&label==b", "?error=" + "x" * 2_048,
        "?" + "&".join(f"label={'k' * n}={'v' * n}" for n in range(300)),
        "?" + "&".join(f"outcome={n}" for n in range(300)),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_the_default_shown(search: str) -> None:
    view = View.parse("/", search)
    range = view.time_range(NOW_MS)
    assert range.start_ms < range.end_ms
    assert all(problem.endswith(".") for problem in view.problems_at(NOW_MS))


@pytest.mark.parametrize(
    ("search", "problem"),
    [
        ("?from=banana", "“banana” is no time"),
        ("?to=banana", "“banana” is no time"),
        ("?from=now&to=now-6h", "ends before it starts"),
        ("?from=2030-01-01", "ends before it starts"),
        ("?from=2010-01-01&to=2026-01-01", "longer than ten years"),
        ("?result=maybe", "“maybe” is no result"),
        ("?source=" + "x" * 51, "at most 50 characters"),
        ("?" + "&".join(f"source=s{n}" for n in range(MOST_SOURCES + 1)), "At most 100 sources"),
        ("?" + "&".join(f"source=s{n}" for n in range(2_000)), "too many parameters"),
        ("?kind=banana", "“banana” is no type: choose all, navigation or scrape."),
        ("?metric=fun", "“fun” is no metric: choose p95, mean, success, volume, items, errors. Showing p95."),
        ("?compare=soon", "“soon” is no comparison: choose before, day or week."),
        ("?outcome=<script>alert(1)</script>", "An outcome has at most 20 characters"),
        ("?outcome=a%0ab", "no control characters"),
        ("?" + "&".join(f"outcome=o{n}" for n in range(MOST_OUTCOMES + 1)), "At most 20 outcomes"),
        ("?error=" + "x" * 201, "A kind of error has at most 200 characters"),
        ("?label=x", "“x” is no label: write key=value."),
        ("?label==x", "“=x” is no label"),
        ("?label=a%00=b", "with control characters"),
        ("?label=" + "k" * 51 + "=v", "key has at most 50 characters, its value 200"),
        ("?label=k=" + "v" * 250, "key has at most 50 characters, its value 200"),
        ("?label=,k=v", "begins with “,”"),
        ("?" + "&".join(f"label=k{n}=v" for n in range(MOST_LABELS + 1)), "At most 20 labels"),
    ],
)
def test_each_problem_is_a_sentence_that_says_what_is_wrong(search: str, problem: str) -> None:
    assert problem in " ".join(View.parse("/", search).problems_at(NOW_MS))


def test_a_view_without_problems_says_nothing() -> None:
    assert View.parse("/", "?from=now-6h&source=cnbc&result=failed&q=a&live=0").problems_at(NOW_MS) == ()


def test_defaults_are_left_out_and_the_rest_has_one_order() -> None:
    assert View().href() == "/"
    assert View.parse("/", "?live=1&result=all&q=&from=now-15m&to=now").href() == "/"
    messy = View.parse("/scraping/", "?live=0&q=a b&source=z&source=a&source=z&result=ok&to=now&from=now-6h&other=1")
    assert messy.href() == "/scraping?from=now-6h&source=a&source=z&result=ok&q=a%20b&live=0"


def test_problems_are_no_part_of_a_view() -> None:
    assert View.parse("/", "?from=banana") == View()


def test_another_tab_keeps_range_and_filters() -> None:
    view = View.parse("/", "?from=now-6h&source=cnbc&live=0")
    assert view.at("/scraping").href() == "/scraping?from=now-6h&source=cnbc&live=0"


def test_the_filter_is_what_the_address_says() -> None:
    view = View.parse("/", "?source=b&source=a&result=failed&q=Stocks")
    assert view.filter == Filter(("a", "b"), "failed", "Stocks")
    assert view.source_filter == Filter(("a", "b"))
    assert view.is_filtered
    assert not View().is_filtered


def test_every_filter_has_its_place_in_the_address_and_in_the_filter() -> None:
    search = (
        "?from=now-6h&source=a&kind=scrape&result=failed&outcome=blocked&outcome=empty&error=HTTP%20503"
        "&label=env=live&label=env=test&label=x=1=2&q=Stocks&url=https://a.test/%3Fa%3D1&run=nightly%201&compare=week&live=0"
    )
    view = View.parse("/", search)
    assert view.problems == ()
    assert view.search() == search.replace("env=", "env%3D").replace("x=1=2", "x%3D1%3D2")
    assert view.compare == "week"
    assert view.filter == Filter(
        sources=("a",), result="failed", url_contains="Stocks", kind="scrape", outcomes=("blocked", "empty"),
        error="HTTP 503", labels=("env=live", "env=test", "x=1=2"), url="https://a.test/?a=1", run="nightly 1",
    )  # fmt: skip
    assert view.unfiltered().href() == "/?from=now-6h&compare=week&live=0"
    for part in ("kind=scrape", "outcome=ok", "error=boom", "label=a=b", "url=x", "run=x"):
        assert View.parse("/", part).is_filtered
    assert not View.parse("/", "compare=day").is_filtered


def test_a_tab_of_one_type_decides_by_itself_and_hands_the_choice_on() -> None:
    for path in ("/navigation", "/scraping"):
        view = View.parse(path, "?kind=scrape")
        assert view.filter == Filter()
        assert not view.is_filtered
        assert view.at("/").href() == "/?kind=scrape"
        assert view.at("/").filter == Filter(kind="scrape")


def test_a_filter_knows_who_can_answer_it() -> None:
    assert Filter(("a",)).only_sources
    for filter in (Filter(kind="scrape"), Filter(result="ok")):
        assert filter.in_rollups
        assert not filter.only_sources
    for filter in (Filter(outcomes=("ok",)), Filter(error="x"), Filter(labels=("a=b",)), Filter(url_contains="x")):
        assert not filter.in_rollups
        assert not filter.only_sources
    for filter in (Filter(url="x"), Filter(run="x")):
        assert filter.without_runs
        assert not filter.in_rollups
        assert not filter.only_sources


@pytest.mark.parametrize("source", ["cnbc", "a/b", "<script>alert(1)</script>", "🦊" * 20, "100 %", "a?b#c&d", "."])
def test_a_sources_path_leads_back_to_its_name(source: str) -> None:
    assert source_of(View.parse(source_path(source), "").path) == source


@pytest.mark.parametrize("quick", QUICK_RANGES)
def test_a_quick_range_moves_only_when_its_bucket_ends(quick: object) -> None:
    view = View(from_=quick.from_)  # type: ignore[attr-defined]
    first = view.time_range(NOW_MS)
    bucket_end_ms = first.end_ms
    assert view.time_range(bucket_end_ms - 1) == first
    later = view.time_range(bucket_end_ms)
    assert later.start_ms - first.start_ms == later.end_ms - first.end_ms == first.bucket_ms
    assert first.start_ms % first.bucket_ms == first.end_ms % first.bucket_ms == 0
    assert first.start_ms <= NOW_MS < first.end_ms


def test_fifteen_minutes_are_ninety_buckets_of_ten_seconds() -> None:
    range = View().time_range(NOW_MS)
    assert (range.bucket_ms, range.bucket_count) == (10 * SECOND_MS, 90)
    assert range.end_ms - range.start_ms == 15 * MINUTE_MS


def test_what_happens_this_millisecond_belongs_to_the_range_even_when_a_bucket_ends_now() -> None:
    now_ms = NOW_MS // 10_000 * 10_000
    range = View().time_range(now_ms)
    assert range.start_ms < now_ms < range.end_ms


def test_an_absolute_range_is_widened_to_whole_buckets() -> None:
    view = View.parse("/", f"?from={NOW_MS - HOUR_MS}&to={NOW_MS}")
    range = view.time_range(NOW_MS + DAY_MS)
    assert range.start_ms <= NOW_MS - HOUR_MS
    assert range.end_ms >= NOW_MS
    assert range.end_ms - range.start_ms <= HOUR_MS + 2 * range.bucket_ms
    assert range.start_ms % range.bucket_ms == range.end_ms % range.bucket_ms == 0


def test_today_starts_at_midnight() -> None:
    range = View.parse("/", "?from=now/d").time_range(NOW_MS)
    assert range.start_ms == NOW_MS // DAY_MS * DAY_MS


def test_a_range_shorter_than_a_bucket_has_one() -> None:
    view = View.parse("/", f"?from={NOW_MS}&to={NOW_MS + 1}")
    assert view.time_range(NOW_MS).bucket_count == 1


def test_a_wrong_range_shows_the_default_one() -> None:
    assert View.parse("/", "?from=now&to=now-6h").time_range(NOW_MS).end_ms > NOW_MS
    assert View.parse("/", "?from=2030-01-01").time_range(NOW_MS).bucket_count in (90, 91)


def test_the_coarse_range_spans_the_same_time_in_at_most_sixty_buckets() -> None:
    for quick in QUICK_RANGES:
        fine, coarse = View(from_=quick.from_).time_range(NOW_MS), View(from_=quick.from_).coarse_range(NOW_MS)
        assert coarse.bucket_count <= 60
        assert coarse.bucket_ms % fine.bucket_ms == 0
        assert abs(coarse.start_ms - fine.start_ms) < coarse.bucket_ms
        assert isinstance(coarse, TimeRange)


def test_only_a_live_view_that_ends_now_follows() -> None:
    assert View().follows_now
    assert not View(live=False).follows_now
    assert not replace(View(), to="2026-11-22").follows_now


def _split(href: str) -> tuple[str, str]:
    path, _, search = href.partition("?")
    return path, search


def test_a_path_survives_any_characters() -> None:
    assert View.parse("/scrapers/" + quote("ä ö/ü", safe=""), "").path == "/scrapers/%C3%A4%20%C3%B6%2F%C3%BC"
    assert View.parse("//evil.example/x", "").path == "/evil.example/x"


def test_the_metric_is_written_last_before_live_and_stays_on_its_own_page() -> None:
    view = View.parse("/scrapers", "?metric=items&from=now-6h&live=0&compare=day")
    assert view.metric == "items"
    assert view.href() == "/scrapers?from=now-6h&compare=day&metric=items&live=0"
    assert view.at("/scrapers").metric == "items"
    assert view.at("/scheduler").href() == "/scheduler?from=now-6h&compare=day&live=0"
