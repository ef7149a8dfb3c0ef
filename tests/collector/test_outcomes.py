"""What pages are worth: challenge pages, articles about them, empty pages, and what exceptions say."""

import asyncio
import json
import socket
import urllib.error
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from collector import Collector, Evidence
from collector.challenges import LOOKED_AT_CHARS, find_challenge
from collector.classifying import Classifying
from collector.errors import ConfigurationError
from collector.events import PageNavigation, PageScrape
from collector.exceptions import kind_of
from collector.outcomes import History, classify_page, pattern_of
from tests.collector.doubles import MemorySink, only

URL = "https://shop.test/list?page=1"


def page(body: str, title: str = "A shop") -> str:
    return f"<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>"


CHALLENGES = {
    "cloudflare, waiting": (
        403,
        page("<div>Checking if the site connection is secure</div><script>_cf_chl_opt={}</script>", "Just a moment..."),
    ),
    "cloudflare, with 200": (200, page("<h1>Verifying you are human</h1>", "Just a moment...")),
    "cloudflare, by its form": (503, page('<form id="challenge-form" action="/?__cf-chl-jschl-tk__=x"></form>')),
    "cloudflare, blocked": (
        403,
        page("<h1>Sorry, you have been blocked</h1>", "Attention Required! | Cloudflare"),
    ),
    "datadome": (
        403,
        page("<script>var dd={'host':'geo.captcha-delivery.com'}</script><script src='https://ct.captcha-delivery.com'>"),
    ),
    "perimeterx": (200, page("<div id='px-captcha'></div><p>Press & Hold to confirm you are a human</p>")),
    "akamai": (
        403,
        "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have permission to access"
        ' "http&#58;&#47;&#47;x" on this server.<P>Reference&#32;&#35;18&#46;5 </BODY></HTML>',
    ),
    "distil": (200, page("<p>As you were browsing something about your browser made us think</p>",
                         "Pardon Our Interruption")),
    "imperva": (200, "<html><iframe src='/_Incapsula_Resource?CWUDNSAI=1&incident_id=5'>Request unsuccessful."
                     " Incapsula incident ID: 5</iframe></html>"),
    "amazon": (200, page('<form action="/errors/validateCaptcha"><p>Type the characters you see</p></form>')),
    "plain captcha": (200, page("<p>Please verify you are human</p><div class=\"g-recaptcha\"></div>", "Captcha")),
    "plain denial": (403, page("<h1>Access denied</h1><p>Your IP has been blocked.</p>", "Access Denied")),
    "google": (429, page("Our systems have detected unusual traffic from your computer network.")),
}  # fmt: skip

_WORDS = "The history of the test that tells people from machines is long, and its end is not in sight. " * 40
CONTENT = {
    "a list with items": page("<ul>" + "<li>price 5</li>" * 50 + "</ul>"),
    "an article about captchas": page(f"<article><h1>What is a CAPTCHA?</h1>{_WORDS}</article>", "What is a CAPTCHA?"),
    "an article about blocked robots": page(
        f"<article>{_WORDS} Sites say access denied, just a moment... or verify you are human.</article>", "Robots"
    ),
    "a shop with a captcha in its form": page(
        '<div class="product">A lamp, 5 pounds</div>' * 30
        + '<form><div class="g-recaptcha" data-sitekey="x"></div></form><p>protected by reCAPTCHA</p>'
    ),
    "a short page that mentions it once": page("<p>Lamp, 5 pounds</p><p>This site is protected by a captcha.</p>"),
    "a page behind cloudflare": page(
        '<p>Lamp</p><script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script>' + "<p>text</p>" * 20
    ),
}


@pytest.mark.parametrize("name", CHALLENGES)
def test_a_challenge_page_is_blocked_whatever_its_status(name: str) -> None:
    status, body = CHALLENGES[name]
    verdict = classify_page(Evidence("shop", URL, status, None, body, None, 0))
    assert verdict.outcome == "blocked"
    assert not verdict.is_success
    assert verdict.reason


@pytest.mark.parametrize("name", CONTENT)
def test_a_page_that_only_speaks_of_it_is_not_blocked(name: str) -> None:
    assert find_challenge(200, None, CONTENT[name]) is None
    assert classify_page(Evidence("shop", URL, 200, None, CONTENT[name].encode(), None, 3)).outcome == "ok"


def test_items_are_the_best_proof_that_a_page_is_not_blocked() -> None:
    assert classify_page(Evidence("shop", URL, 200, None, CHALLENGES["plain captcha"][1], None, 3)).outcome == "ok"


def test_only_the_beginning_of_a_page_is_looked_at() -> None:
    late = "x" * LOOKED_AT_CHARS + CHALLENGES["perimeterx"][1]
    assert find_challenge(200, None, late) is None


@pytest.mark.parametrize("much", ["<p>text</p>" * 7_000, '<a href="/page">page</a>' * 70])
def test_a_large_page_or_one_with_many_links_is_content_unless_its_status_refuses(much: str) -> None:
    marked = CHALLENGES["perimeterx"][1] + much
    assert find_challenge(200, None, marked) is None
    assert find_challenge(200, None, marked.encode()) is None
    assert find_challenge(403, None, marked) == "PerimeterX"


def test_headers_tell_a_challenge_too() -> None:
    assert find_challenge(403, {"CF-Mitigated": "challenge"}, None) == "Cloudflare"
    assert find_challenge(200, {"content-type": "text/html"}, None) is None


@pytest.mark.parametrize(
    ("known", "outcome"),
    [
        ({"status_code": 200, "items_extracted": 5}, "ok"),
        ({"status_code": 200, "items_extracted": 0}, "empty"),
        ({"status_code": 200, "body": " "}, "empty"),
        ({"status_code": 200, "body": '{"items": []}'}, "ok"),
        ({"status_code": 204}, "ok"),
        ({"status_code": 403}, "blocked"),
        ({"status_code": 429}, "blocked"),
        ({"status_code": 404}, "network"),
        ({"status_code": 503}, "network"),
        ({"status_code": 504}, "timeout"),
        ({"exception": TimeoutError("30 s")}, "timeout"),
        ({"exception": ConnectionResetError("reset")}, "network"),
        ({"exception": KeyError("price")}, "parse_error"),
        ({"exception": KeyError("price"), "status_code": 200, "body": CHALLENGES["perimeterx"][1]}, "blocked"),
        ({}, "ok"),
    ],
)
def test_an_outcome_follows_from_what_is_known(known: dict[str, Any], outcome: str) -> None:
    assert classify_page(Evidence("shop", URL, **known)).outcome == outcome


def test_pages_that_never_have_items_are_not_called_empty_but_those_that_used_to_are() -> None:
    judging = Classifying()

    def judge(path: str, items: int) -> str:
        return judging.classify("shop", url=f"https://shop.test/{path}", items_extracted=items).outcome

    assert [judge(f"about/{n}", 0) for n in range(5)] == ["empty", "empty", "empty", "ok", "ok"]
    assert [judge(f"list/{n}", 20) for n in range(3)] == ["ok"] * 3
    assert [judge(f"list/{n}", 0) for n in range(5)] == ["empty"] * 5


def test_the_history_is_bounded_and_forgets_what_was_seen_longest_ago() -> None:
    history = History(most=10)
    for _ in range(5):
        history.note("shop", "https://shop.test/about", 0)
    assert history.never_had_items("shop", "https://shop.test/about")
    for host in range(20):
        history.note("shop", f"https://host-{host}.test/", 0)
    assert not history.never_had_items("shop", "https://shop.test/about")


def test_pages_of_a_kind_have_one_pattern() -> None:
    assert pattern_of("https://Shop.test/item/123?x=1") == pattern_of("https://shop.test/item/987#y")
    assert pattern_of("https://shop.test/list") != pattern_of("https://shop.test/item")
    assert pattern_of("http://[") == ""
    assert pattern_of(None) == ""


class Foreign(Exception):  # noqa: N818 - stands for any library's
    pass


def foreign(name: str, module: str = "library", text: str = "", **attributes: object) -> BaseException:
    made = type(name, (Foreign,), {"__module__": module})(text)
    for key, value in attributes.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize(
    ("exc", "kind"),
    [
        (TimeoutError(), "timeout"),
        (socket.gaierror(-2, "unknown"), "network"),
        (urllib.error.URLError("x"), "network"),
        (urllib.error.HTTPError("u", 503, "x", None, None), 503),  # type: ignore[arg-type]
        (json.JSONDecodeError("x", "y", 0), "parse_error"),
        (ZeroDivisionError(), "parse_error"),
        (FileNotFoundError("cache"), "parse_error"),
        (foreign("ReadTimeout", "httpx"), "timeout"),
        (foreign("ConnectTimeout", "requests.exceptions"), "timeout"),
        (foreign("ConnectError", "httpx"), "network"),
        (foreign("ClientResponseError", "aiohttp", status=429), 429),
        (foreign("TimeoutException", "selenium.common.exceptions"), "timeout"),
        (foreign("NoSuchElementException", "selenium.common.exceptions"), "parse_error"),
        (foreign("WebDriverException", "selenium", "unknown error: net::ERR_CONNECTION_REFUSED"), "network"),
        (foreign("TimeoutError", "playwright._impl._errors", "Timeout 30000ms exceeded"), "timeout"),
        (foreign("Error", "playwright._impl._errors", "net::ERR_NAME_NOT_RESOLVED at x"), "network"),
        (foreign("Error", "playwright._impl._errors", "strict mode violation"), "parse_error"),
        (foreign("TCPTimedOutError", "twisted.internet.error"), "timeout"),
        (foreign("ResponseNeverReceived", "twisted.web._newclient"), "network"),
    ],
)
def test_an_exception_is_known_by_its_name(exc: BaseException, kind: str | int) -> None:
    assert kind_of(exc) == kind


def test_the_cause_of_an_exception_counts() -> None:
    exc = Foreign("the page is gone")
    exc.__cause__ = ConnectionResetError("reset")
    assert kind_of(exc) == "network"


def test_exceptions_that_go_in_circles_or_cannot_be_read_are_parse_errors() -> None:
    class Mute(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("no")

        @property
        def response(self) -> object:
            raise RuntimeError("no")

    mute = Mute()
    mute.__context__ = ValueError()
    mute.__context__.__context__ = mute
    assert Classifying().classify("shop", exception=mute).outcome == "parse_error"


def test_a_classifier_of_ones_own_comes_first_and_may_leave_it_to_ours(collector: Collector, sink: MemorySink) -> None:
    seen: list[Evidence] = []

    def mine(evidence: Evidence) -> str | None:
        seen.append(evidence)
        return "sold_out" if b"sold out" in (evidence.body or b"") else None  # type: ignore[operator]

    collector.configure(sinks=[sink], classifier=mine)
    assert collector.classify("shop", url=URL, body=b"<p>sold out</p>").outcome == "sold_out"
    assert collector.classify("shop", url=URL, items_extracted=5, body=b"x").outcome == "ok"
    assert seen[0].url == URL


@pytest.mark.parametrize("answer", [5, "", "o" * 21, ZeroDivisionError("oops")])
def test_a_classifier_that_answers_nonsense_or_raises_does_no_harm(collector: Collector, answer: object) -> None:
    def mine(evidence: Evidence) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    collector.configure(sinks=[MemorySink()], classifier=mine)
    assert collector.classify("shop", url=URL, items_extracted=5).outcome == "ok"
    with pytest.raises(ConfigurationError):
        collector.configure(sinks=[MemorySink()], classifier="mine")  # type: ignore[arg-type]


class Browser:
    """A page as Playwright has it."""

    def __init__(self, content: object) -> None:
        self._text = content
        self.asked = 0

    def goto(self, url: str) -> None:
        return None

    def content(self) -> object:
        self.asked += 1
        return self._text


def test_a_tracked_scrape_of_a_challenge_page_is_blocked_and_no_success(tracked: Collector, sink: MemorySink) -> None:
    browser = Browser(CHALLENGES["perimeterx"][1])
    assert tracked.scrape_page_tracked(browser, URL, scraper_source="shop", extract=lambda page: []) == []
    metric = only(PageScrape, tracked, sink)
    assert (metric.outcome, metric.success, metric.error) == ("blocked", False, "challenge page: PerimeterX")


def test_a_browser_is_only_asked_where_nothing_came_out(tracked: Collector, sink: MemorySink) -> None:
    browser = Browser("<p>5</p>")
    tracked.scrape_page_tracked(browser, URL, scraper_source="shop", extract=lambda page: [5])
    assert only(PageScrape, tracked, sink).outcome == "ok"
    assert browser.asked == 0


def test_an_extraction_that_fails_on_a_challenge_page_is_blocked(tracked: Collector, sink: MemorySink) -> None:
    def extract(page: object) -> list[int]:
        raise KeyError("price")

    body = CHALLENGES["plain captcha"][1]
    with pytest.raises(KeyError):
        tracked.scrape_page_tracked(body, URL, scraper_source="shop", extract=extract)
    metric = only(PageScrape, tracked, sink)
    assert (metric.outcome, metric.success) == ("blocked", False)
    assert metric.error == "challenge page: captcha; KeyError: 'price'"


def test_an_async_browser_is_awaited(tracked: Collector, sink: MemorySink) -> None:
    async def content() -> str:
        return CHALLENGES["cloudflare, with 200"][1]

    async def extract(page: object) -> list[int]:
        await asyncio.sleep(0)
        return []

    async def main() -> None:
        await tracked.scrape_page_tracked(Browser(content()), URL, scraper_source="shop", extract=extract)

    asyncio.run(main())
    assert only(PageScrape, tracked, sink).outcome == "blocked"


def test_the_fields_of_tracked_items_are_counted(tracked: Collector, sink: MemorySink) -> None:
    items = [{"price": 5, "title": ""}, {"price": 6, "title": "b"}]
    tracked.scrape_page_tracked(None, URL, scraper_source="shop", extract=lambda page: items)
    assert only(PageScrape, tracked, sink).fields == {"price": 2, "title": 1}


def test_a_generators_items_are_counted_as_they_are_consumed(tracked: Collector, sink: MemorySink) -> None:
    def extract(page: object) -> Iterator[dict[str, int]]:
        for number in range(5):
            yield {"price": number}

    found = tracked.scrape_page_tracked(None, URL, scraper_source="shop", extract=extract)
    assert [item["price"] for item in found] == [0, 1, 2, 3, 4]
    metric = only(PageScrape, tracked, sink)
    assert (metric.items_extracted, metric.fields, metric.outcome) == (5, {"price": 5}, "ok")


def test_a_generator_that_is_not_consumed_to_its_end_is_recorded_when_it_goes(
    tracked: Collector, sink: MemorySink
) -> None:
    found = tracked.scrape_page_tracked(None, URL, scraper_source="shop", extract=lambda page: iter([1, 2, 3]))
    assert next(found) == 1
    del found
    assert only(PageScrape, tracked, sink).items_extracted == 1


def test_a_generator_that_raises_is_recorded_with_what_came_before(tracked: Collector, sink: MemorySink) -> None:
    def extract(page: object) -> Iterator[int]:
        yield 1
        raise ConnectionResetError("reset")

    found = tracked.scrape_page_tracked(None, URL, scraper_source="shop", extract=extract)
    with pytest.raises(ConnectionResetError):
        list(found)
    metric = only(PageScrape, tracked, sink)
    assert (metric.items_extracted, metric.success, metric.outcome) == (1, False, "network")


def test_an_async_generators_items_are_counted(tracked: Collector, sink: MemorySink) -> None:
    async def extract(page: object) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    async def main() -> list[int]:
        found: Any = tracked.scrape_page_tracked(None, URL, scraper_source="shop", extract=extract)
        return [number async for number in found]

    assert asyncio.run(main()) == [0, 1, 2]
    assert only(PageScrape, tracked, sink).items_extracted == 3


class Response:
    """An answer as requests and httpx keep it."""

    def __init__(self, status: int, body: str) -> None:
        self.status_code = status
        self.headers: dict[str, str] = {}
        self._content = body.encode()


class Session:
    def __init__(self, response: Response) -> None:
        self._response = response

    def get(self, url: str) -> Response:
        return self._response


def test_a_navigation_to_a_challenge_page_is_no_success(tracked: Collector, sink: MemorySink) -> None:
    session = Session(Response(200, CHALLENGES["cloudflare, with 200"][1]))
    tracked.goto_with_retries_tracked(session, URL, scraper_source="shop")
    metric = only(PageNavigation, tracked, sink)
    assert (metric.success, metric.status_code) == (False, 200)
    assert metric.error == "blocked: challenge page: Cloudflare"


def test_a_navigation_that_is_refused_says_blocked(tracked: Collector, sink: MemorySink) -> None:
    tracked.goto_with_retries_tracked(Session(Response(403, "no")), URL, scraper_source="shop")
    assert only(PageNavigation, tracked, sink).error == "blocked: HTTP 403"
