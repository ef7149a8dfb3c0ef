"""The pages: one module per tab, each a set of pure functions from the database's answers to what is shown."""

from __future__ import annotations

from typing import Final

from pages import alerts, event, events, navigation, not_found, overview, scheduler, scraper, scrapers, scraping, system
from pages.page import Page

PAGES: Final[tuple[Page, ...]] = (
    overview.PAGE,
    scrapers.PAGE,
    scraper.PAGE,
    navigation.PAGE,
    scraping.PAGE,
    scheduler.PAGE,
    alerts.PAGE,
    events.PAGE,
    event.PAGE,
)
SYSTEM: Final = system.PAGE  # about the program and not the fleet: it is the same whatever range and filters say
NOT_FOUND: Final = not_found.PAGE


def find(pathname: str) -> Page:
    """Return the page at a path; `NOT_FOUND` when there is none.

    Args:
        pathname: A view's path, for instance `/scrapers/cnbc`.
    """
    for page in (*PAGES, SYSTEM):
        if page.path == pathname and not (page.path.endswith("/") and page.path != "/"):
            return page
    below, _, rest = pathname.rpartition("/")
    return next((page for page in PAGES if rest and page.path == f"{below}/" and page.path != "/"), NOT_FOUND)
