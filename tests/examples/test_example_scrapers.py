"""The scrapers, as processes of their own, against the troubled site: what they record is what was served."""

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from examples.docs import list_pages
from examples.fleet import PROJECT
from examples.site import DocSite, Visit
from examples.trouble import Fate, Profile, Trouble
from tests.examples.conftest import Board

CALM = Profile(fastest_ms=0.1, slowest_ms=2)
SCRAPERS = ("httpx_scraper", "stdlib_scraper")
PASSING = (Trouble.UNAVAILABLE, Trouble.RATE_LIMITED, Trouble.STALLED)
# What a scrape's outcome must be after the visit that loaded the page.
OUTCOMES = {
    Trouble.NONE: "ok",
    Trouble.EMPTY: "empty",
    Trouble.CHALLENGE: "blocked",
    Trouble.REDESIGNED: "parse_error",
    Trouble.CUT: "network",
}


class UnluckySite(DocSite):
    """Every third new page meets the next kind of trouble, each kind once; so no seed has to be found for a crawl."""

    kinds = tuple(Trouble)

    def fate(self, profile: Profile, page: str, attempt: int) -> Fate:
        order = self.__dict__.setdefault("order", ["index.html"])
        if page not in order:
            order.append(page)
        number, rest = divmod(order.index(page), 3)
        trouble = self.kinds[number] if rest == 0 and number < len(self.kinds) else Trouble.NONE
        return Fate(Trouble.NONE if trouble in PASSING and attempt > 1 else trouble, 0.1)


class QuickUnluckySite(UnluckySite):
    """The same without what costs a browser its time-out (to Chromium a cut page is one that is still coming)."""

    kinds = tuple(kind for kind in Trouble if kind not in (Trouble.HUNG, Trouble.STALLED, Trouble.CUT))


def run(names: Sequence[str], board: Board, site: str, *options: str) -> None:
    """Run scrapers side by side to their ends, each under its own name."""
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", f"examples.{name}", "--board", board.url, "--site", site,
             "--source", name, "--delay-s", "0", *options],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for name in names
    ]  # fmt: skip
    for process in running:
        printed, complaints = process.communicate(timeout=200)
        assert (process.returncode, complaints) == (0, "")
        assert "all metrics delivered" in printed


def by_path(visits: list[Visit]) -> dict[str, list[Visit]]:
    grouped = defaultdict(list)
    for visit in visits:
        grouped[visit.path].append(visit)
    return dict(grouped)


def test_every_page_that_was_asked_for_is_recorded_as_it_was_served(board: Board, root: Path) -> None:
    with UnluckySite(root) as site:
        run(SCRAPERS, board, site.url, "--pages", "40")
        for name in SCRAPERS:
            visits = by_path(site.visits(name))
            assert {visit.trouble for path in visits.values() for visit in path} == set(Trouble)
            check_against(visits, board, name, root)


def check_against(visits: dict[str, list[Visit]], board: Board, name: str, root: Path) -> None:
    # Breadth-first without repetition: one navigation for each path, in the order of the first requests.
    navigations = board.metrics("page_navigation", name)
    assert [urlsplit(metric["url"]).path for metric in navigations] == list(visits)
    assert len(visits) == 40
    scrapes = {urlsplit(metric["url"]).path: metric for metric in board.metrics("page_scrape", name)}
    cut_is_noticed = Trouble.CUT if name == "httpx_scraper" else None  # urllib reads the body later
    for metric, (path, answers) in zip(navigations, visits.items(), strict=True):
        last = answers[-1]
        loaded = last.status == 200 and last.trouble is not cut_is_noticed
        # Who gives the collector the whole answer is told that it is a challenge; others find it when they read it.
        usable = loaded and not (name == "httpx_scraper" and last.trouble is Trouble.CHALLENGE)
        assert metric["retryCount"] == len(answers) - 1, path
        assert metric["success"] is usable, path
        assert metric.get("statusCode") == (None if last.trouble is cut_is_noticed else last.status), path
        assert (metric["error"] is None) is usable, path
        assert (path in scrapes) is loaded, path
        if loaded:
            known = last.trouble is not Trouble.NONE or b'class="body"' in (root / path[1:]).read_bytes()
            outcome = OUTCOMES[last.trouble] if known else "parse_error"
            assert scrapes[path]["outcome"] == outcome, path
            assert scrapes[path]["success"] is (outcome in ("ok", "empty")), path
            assert scrapes[path]["dataSize"] == (0 if outcome == "network" else last.bytes_sent), path


def test_the_items_of_every_page_are_counted(board: Board, root: Path) -> None:
    with DocSite(root, profiles={"everyday": CALM}) as site:
        run(SCRAPERS, board, site.url, "--pages", "60")
        for name in SCRAPERS:
            scrapes = board.metrics("page_scrape", name)
            assert len(scrapes) > 50
            assert sum(metric["dataSize"] for metric in scrapes) == sum(v.bytes_sent for v in site.visits(name))
            for metric in scrapes:
                html = (root / urlsplit(metric["url"]).path[1:]).read_text(encoding="utf-8")
                body = html[html.index('class="body"') : html.rindex('class="sphinxsidebar"')]
                items = len(re.findall(r"<(?:h[123]|pre)\b|<dt\b[^>]* id=", body))
                if name == "httpx_scraper":  # index terms too
                    items += body.partition("indextable")[2].count("<a ")
                assert metric["itemsExtracted"] == items, metric["url"]


def test_the_browser_records_what_chromium_met(board: Board, root: Path) -> None:
    with QuickUnluckySite(root) as site:
        run(["browser_scraper"], board, site.url, "--pages", "25")
        visits = by_path(site.visits("browser_scraper"))

    def recorded(kind: str) -> dict[str, dict[str, Any]]:
        return {urlsplit(metric["url"]).path: metric for metric in board.metrics(kind, "browser_scraper")}

    navigations, scrapes = recorded("page_navigation"), recorded("page_scrape")
    assert list(navigations) == list(visits)
    assert {visit.trouble for path in visits.values() for visit in path} == set(QuickUnluckySite.kinds)
    for path, answers in visits.items():
        trouble, status = answers[-1].trouble, answers[-1].status
        assert (navigations[path]["statusCode"], navigations[path]["success"]) == (status, status == 200), path
        assert navigations[path]["retryCount"] == len(answers) - 1, path
        assert (path in scrapes) is (status == 200), path
        if status == 200:
            known = trouble is Trouble.EMPTY or b'class="body"' in (root / path[1:]).read_bytes()
            refused = trouble in (Trouble.CHALLENGE, Trouble.REDESIGNED) or not known
            assert scrapes[path]["success"] is not refused, path
            assert (scrapes[path]["itemsExtracted"] > 0) is (not refused and trouble is not Trouble.EMPTY), path
    assert "blocked: asked to prove to be human" in str(scrapes)
    assert "parse error: no div.body" in str(scrapes)


def test_the_link_checker_records_fine_and_failed_runs(board: Board, root: Path) -> None:
    from examples.scheduled_job import LinkCheckError, check_links

    removed = {"calm": CALM, "removed": Profile(fastest_ms=0.1, slowest_ms=2, removed=1.0)}
    with DocSite(root, profiles={"everyday": CALM, **removed}) as site:
        first, second = (check_links(site.url, "link-check", run, 10) for run in (0, 1))
        assert [url.removeprefix(f"{site.url}/") for url in first + second] == list(list_pages(root)[:20])
        with pytest.raises(LinkCheckError, match="no sitemap"):
            check_links(f"{site.url}/removed", "link-check", 0, 10)
