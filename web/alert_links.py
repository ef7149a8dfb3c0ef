"""The page that shows what a notification is about: its sources, its reason, its time."""

from __future__ import annotations

from typing import Final

from alerts.notices import Notice
from alerts.rules import RUN_WHATS, SCRAPE_WHATS
from components.timerange import MINUTE_MS
from components.view import View, source_path
from components.view_text import LONGEST_Q

_BEFORE_MS: Final = 30 * MINUTE_MS  # how it was when all was well
_MOST_NAMED: Final = 10  # an address with more sources is no address any more


def alert_view(notice: Notice) -> View:
    """Return the view that shows what a notification is about.

    Args:
        notice: What is told.
    """
    keys = tuple(sorted({entry.key for entry in (notice.firing or notice.resolved) if entry.key}))
    about = View(
        path=_path(notice, keys),
        from_=str(notice.since_ms - _BEFORE_MS),
        to=str(notice.at_ms + MINUTE_MS) if notice.what == "resolved" else "now",
    )
    if notice.by == "job":
        return about
    own = notice.by.removeprefix("label:")
    domain = keys[0] if notice.by == "domain" and len(keys) == 1 else notice.reasons.get("domain", "")
    labels = {kind.removeprefix("label:"): value for kind, value in notice.reasons.items() if kind.startswith("label:")}
    if notice.by.startswith("label:") and len(keys) == 1:
        labels[own] = keys[0]
    own_page = about.path.startswith("/scrapers/")  # names the source in its path
    many = notice.by == "source" and len(keys) <= _MOST_NAMED and not own_page
    return View(
        path=about.path,
        from_=about.from_,
        to=about.to,
        sources=keys if many else (),
        labels=tuple(sorted(f"{key}={value}" for key, value in labels.items())),
        q="" if own_page else domain[:LONGEST_Q],
    )


def alert_link(public_url: str | None, notice: Notice) -> str | None:
    """Return the address of the page that shows what a notification is about.

    Args:
        public_url: Where people open the app; None when nobody said so.
        notice: What is told.

    Returns:
        The address; None without `public_url`.
    """
    if public_url is None:
        return None
    if notice.what == "test":
        return f"{public_url}/alerts"
    return public_url + alert_view(notice).href()


def _path(notice: Notice, keys: tuple[str, ...]) -> str:
    if notice.by == "job" or notice.measure in RUN_WHATS:
        return "/scheduler"
    if notice.by == "source" and len(keys) == 1:
        return source_path(keys[0])
    if notice.measure in SCRAPE_WHATS:
        return "/scraping"
    return "/navigation" if notice.measure == "retries" else "/scrapers"
