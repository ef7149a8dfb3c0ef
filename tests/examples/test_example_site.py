"""The site: each trouble is really served, counted, and the same again for the same seed."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.docs import find_docs
from examples.site import DocSite, Visit
from examples.trouble import Profile, Trouble

FAST = {"fastest_ms": 0.1, "slowest_ms": 1.0}
# One mirror for each trouble, where nothing else ever happens.
PROFILES = {
    "everyday": Profile(**FAST),
    **{kind.value: Profile(**FAST, **{kind.value: 1.0}) for kind in Trouble if kind is not Trouble.NONE},
}


@pytest.fixture(scope="module")
def root() -> Path:
    return find_docs()


@pytest.fixture
def site(root: Path) -> Iterator[DocSite]:
    with DocSite(root, profiles=PROFILES, stall_s=0.05) as site:
        yield site


def get(site: DocSite, path: str, *, method: str = "GET", client: str = "test") -> tuple[int, bytes]:
    address = urlsplit(site.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=90)) as connection:
        connection.request(method, path, headers={"User-Agent": client})
        response = connection.getresponse()
        return response.status, response.read()


def test_a_page_is_served_as_it_is_on_the_disk(site: DocSite, root: Path) -> None:
    content = (root / "library/json.html").read_bytes()
    assert get(site, "/library/json.html") == (200, content)
    assert site.visits() == [Visit("test", "/library/json.html", 1, Trouble.NONE, 200, len(content))]


def test_the_root_is_the_index_page(site: DocSite, root: Path) -> None:
    assert get(site, "/") == get(site, "/index.html") == (200, (root / "index.html").read_bytes())


def test_head_is_answered_without_the_body(site: DocSite) -> None:
    assert get(site, "/library/json.html", method="HEAD") == (200, b"")


def test_a_link_of_the_real_pages_that_leads_nowhere_is_a_404(site: DocSite, root: Path) -> None:
    assert b'href="whatsnew/changelog.html"' in (root / "contents.html").read_bytes()
    assert get(site, "/whatsnew/changelog.html")[0] == 404
    assert site.served() == {Trouble.REMOVED: 1}


def test_nothing_outside_the_directory_is_served(site: DocSite) -> None:
    assert get(site, "/../../../../../../etc/passwd")[0] == 404
    assert get(site, "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd")[0] == 404
    assert get(site, "/library/%00.html")[0] == 404


def test_a_removed_page_stays_away(site: DocSite) -> None:
    assert [get(site, "/removed/library/json.html")[0] for _ in range(3)] == [404] * 3


def test_an_empty_page_is_a_200_without_content(site: DocSite) -> None:
    assert get(site, "/empty/library/json.html") == (200, b"")


@pytest.mark.parametrize(("kind", "code"), [("unavailable", 503), ("rate_limited", 429)])
def test_a_passing_refusal_is_over_on_the_next_attempt(site: DocSite, root: Path, kind: str, code: int) -> None:
    content = (root / "library/json.html").read_bytes()
    first, second = get(site, f"/{kind}/library/json.html"), get(site, f"/{kind}/library/json.html")
    assert first[0] == code
    assert second == (200, content)


def test_attempts_are_counted_for_each_client_apart(site: DocSite) -> None:
    codes = [get(site, "/unavailable/library/json.html", client=name)[0] for name in ("one", "other", "one", "other")]
    assert codes == [503, 503, 200, 200]
    assert [visit.attempt for visit in site.visits("other")] == [1, 2]


def test_a_rate_limit_says_when_to_come_back(site: DocSite) -> None:
    address = urlsplit(site.url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=90)) as connection:
        connection.request("GET", "/rate_limited/library/json.html")
        assert connection.getresponse().getheader("Retry-After") == "1"


@pytest.mark.parametrize("kind", ["stalled", "hung"])
def test_a_stalled_request_gets_no_answer_at_all(site: DocSite, kind: str) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        get(site, f"/{kind}/library/json.html")
    assert site.visits()[0].status is None


def test_a_challenge_is_a_200_that_asks_for_a_human(site: DocSite) -> None:
    code, body = get(site, "/challenge/library/json.html")
    assert code == 200
    assert b"Verify you are human" in body


def test_a_cut_page_ends_in_the_middle(site: DocSite, root: Path) -> None:
    size = (root / "library/json.html").stat().st_size
    with pytest.raises(http.client.IncompleteRead) as caught:
        get(site, "/cut/library/json.html")
    assert len(caught.value.partial) == size // 2 == site.visits()[0].bytes_sent


def test_a_redesigned_page_has_its_text_in_other_markup(site: DocSite) -> None:
    code, body = get(site, "/redesigned/library/json.html")
    assert code == 200
    assert b'class="body"' not in body
    assert b"JSONDecodeError" in body


def test_the_sitemap_lists_every_page_of_its_mirror(site: DocSite) -> None:
    text = get(site, "/challenge/sitemap.xml")[1].decode()
    assert "Verify you are human" in text  # trouble befalls it like any page
    text = get(site, "/sitemap.xml")[1].decode()
    assert text.count("<loc>") == len(site.pages)
    assert f"<loc>{site.url}/library/json.html</loc>" in text


def test_the_same_seed_serves_the_same_trouble_and_another_seed_another(root: Path) -> None:
    def crawl(seed: int) -> list[Visit]:
        shares = dict.fromkeys(("removed", "empty", "unavailable", "challenge", "redesigned"), 0.15)
        with DocSite(root, seed=seed, profiles={"everyday": Profile(**FAST, **shares)}) as site:
            for page in site.pages[:40]:
                get(site, f"/{page}")
            return site.visits()

    first = crawl(5)
    assert crawl(5) == first
    assert crawl(6) != first


def test_closing_ends_idle_and_stalled_connections_and_every_thread(root: Path) -> None:
    before = set(threading.enumerate())
    with DocSite(root, profiles=PROFILES, stall_s=600) as site:
        address = urlsplit(site.url)
        idle, stalled = (http.client.HTTPConnection(address.hostname or "", address.port, timeout=90) for _ in range(2))
        idle.request("GET", "/index.html")
        idle.getresponse().read()
        stalled.request("GET", "/hung/library/json.html")
    with closing(idle), closing(stalled), pytest.raises(ConnectionError):
        stalled.getresponse()
    assert set(threading.enumerate()) <= before
