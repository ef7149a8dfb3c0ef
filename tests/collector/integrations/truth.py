"""What a scraper must have recorded of the shop, by the shop's own count of what it was asked for and answered."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from examples.shop import PLAN, Mishap, Shop

# Where a loaded page leads elsewhere, and where nothing loads, whatever the status.
_NO_ANSWER = (Mishap.RESET, Mishap.SILENT)


def of_kind(recorded: list[dict[str, Any]], kind: str, source: str) -> dict[str, dict[str, Any]]:
    """Give a source's metrics of one kind by the path of their page: there must be one for each, at most."""
    found = [one for one in recorded if one["type"] == kind and one["scraperSource"] == source]
    by_path = {urlsplit(one["url"]).path or "/": one for one in found}
    assert len(by_path) == len(found), f"a page has more than one {kind}"
    return by_path


def check_navigations(shop: Shop, recorded: list[dict[str, Any]], source: str, *, sees_resends: bool = True) -> None:
    """Compare the navigations with what the shop saw.

    Args:
        shop: The shop.
        recorded: Metrics in their form on the wire.
        source: The scraper's name, which is its User-Agent.
        sees_resends: Whether all requests are the client's own doing; a browser sends some again by itself, unseen.
    """
    navigations = of_kind(recorded, "page_navigation", source)
    requests = shop.requests(source)
    assert navigations.pop("/")["success"] is True
    paths = {f"/catalogue/{number}" for number in range(1, shop.pages + 1)}
    assert set(navigations) == paths
    assert set(requests) == paths | {"/catalogue/100"}  # where the page that has moved leads to
    for path, navigation in navigations.items():
        mishap = PLAN.get(int(path.rpartition("/")[2]), Mishap.NONE)
        seen = requests[path]
        status = requests["/catalogue/100"][-1].status if mishap is Mishap.MOVED else seen[-1].status
        success = status == 200 and mishap is not Mishap.CHALLENGE
        assert navigation["success"] is success, (path, navigation)
        assert (navigation["error"] is None) is success, (path, navigation)
        if mishap is not Mishap.LOOP:
            assert navigation.get("statusCode") == status, (path, navigation)
            if sees_resends:
                assert navigation["retryCount"] == len(seen) - 1, (path, navigation)
        if mishap in (Mishap.CHALLENGE, Mishap.FORBIDDEN) or status == 429:
            assert navigation["error"].startswith("blocked: "), (path, navigation)
        assert navigation["navigationDurationMs"] > 0, (path, navigation)


def check_scrapes(shop: Shop, recorded: list[dict[str, Any]], source: str, *, moved: str = "/catalogue/12") -> None:
    """Compare the scrapes with what was on the pages.

    Args:
        shop: The shop.
        recorded: Metrics in their form on the wire.
        source: The scraper's name.
        moved: Under which path the page that has moved is recorded.
    """
    scrapes = of_kind(recorded, "page_scrape", source)
    for path, seen in shop.requests(source).items():
        mishap = PLAN.get(int(path.rpartition("/")[2]), Mishap.NONE)
        if mishap is Mishap.MOVED:
            continue  # where it leads to has been seen, too
        scrape = scrapes.pop(moved if path == "/catalogue/100" else path, None)
        if seen[-1].status != 200:
            assert scrape is None or scrape["success"] is False, (path, scrape)
            continue
        assert scrape is not None, path
        assert scrape["itemsExtracted"] == seen[-1].products, (path, scrape)
        outcome = {Mishap.CHALLENGE: "blocked", Mishap.EMPTY: "empty"}.get(mishap, "ok")
        assert scrape["outcome"] == outcome, (path, scrape)
        assert scrape["success"] is (outcome != "blocked"), (path, scrape)
        if seen[-1].products:
            assert scrape["fields"] == {"title": seen[-1].products, "price": seen[-1].prices}, (path, scrape)
    assert not scrapes


def check_run(recorded: list[dict[str, Any]], source: str, *, name: str | None = None) -> None:
    """See that there is one run, that it ended well with all items, and that all pages belong to it."""
    runs = [one for one in recorded if one["type"] == "run" and one["scraperSource"] == source]
    assert {run["name"] for run in runs} == {name or source}
    assert [run["state"] for run in runs if run["state"] != "running"] == ["ok"]
    pages = [one for one in recorded if one["type"].startswith("page_") and one["scraperSource"] == source]
    assert {page["runId"] for page in pages} == {run["runId"] for run in runs}
    assert runs[-1]["itemsExtracted"] == sum(page.get("itemsExtracted", 0) for page in pages)
