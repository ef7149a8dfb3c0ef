"""Selenium: `track_driver(driver, "cnbc")` records a navigation for each `driver.get`."""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from collector.integrations.pages import MOST_JUDGED_BYTES, Pages, missing, replace_method, since_ms

try:
    from selenium.common.exceptions import WebDriverException
except ImportError as exc:
    raise missing("selenium", "selenium", exc) from exc

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from collector.integrations.pages import Options

D = TypeVar("D")

# The W3C's Navigation Timing: WebDriver itself tells nobody the HTTP status.
_TIMING = "return performance.getEntriesByType('navigation')[0]"
# What Chromium shows for some errors, a redirect loop for instance, instead of failing the command.
_ERROR_PAGE = re.compile(r"<body[^>]* class=\"neterror.*?\b(ERR_[A-Z_]{3,60})\b", re.DOTALL)


def track_driver(driver: D, scraper_source: str, **options: Unpack[Options]) -> D:
    """Record what a browser loads: one navigation for each `get`, `refresh`, `back` and `forward`.

    The duration is that of the call. The status comes from the browser (Chromium from 109, Firefox from 121); a browser
    that doesn't tell it leaves it out. What the page loads by itself (a click on a link, a form) isn't seen: put
    `collector.track_navigation` around it. Tracking a driver again replaces what was said before.

    Args:
        driver: A WebDriver of any browser, local or remote, or an EventFiringWebDriver.
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        The same driver.

    Raises:
        TypeError: That is no driver.
        InvalidMetric: `scraper_source` is no name.
    """
    if not (callable(getattr(driver, "get", None)) and callable(getattr(driver, "execute_script", None))):
        raise TypeError(f"track_driver needs a WebDriver, got {type(driver).__name__}")
    pages = Pages(scraper_source, **options)
    inside = getattr(driver, "wrapped_driver", driver)  # an EventFiringWebDriver hands on what is set on it
    for name in ("get", "refresh", "back", "forward"):
        if callable(getattr(inside, name, None)):
            replace_method(inside, name, lambda inner, goes=name == "get": _around(inner, inside, pages, goes))  # type: ignore[misc]
    return driver


def _around(inner: Any, driver: Any, pages: Pages, goes: bool) -> Any:
    def load(*args: Any, **kwargs: Any) -> Any:
        began_s = perf_counter()
        try:
            result = inner(*args, **kwargs)
        except BaseException as exc:
            said: BaseException | str = exc
            if isinstance(exc, WebDriverException):  # its str() begins with "Message: "
                said = f"{type(exc).__name__}: {(exc.msg or '').partition(chr(10))[0]}"
            pages.failed(_asked(driver, pages, goes, args, kwargs), since_ms(began_s), said)
            raise
        duration_ms = since_ms(began_s)
        url = _asked(driver, pages, goes, args, kwargs)
        timing = pages.read(driver.execute_script, _TIMING)
        timing = timing if isinstance(timing, dict) else {}
        status = timing.get("responseStatus") or None
        body = None
        if status is None or (status < 400 and (timing.get("decodedBodySize") or 0) <= MOST_JUDGED_BYTES):
            body = pages.read(getattr, driver, "page_source")
        wrong = _ERROR_PAGE.search(body) if status is None and isinstance(body, str) else None
        if wrong is not None:
            pages.failed(url, duration_ms, f"net::{wrong[1]}")
        else:
            pages.answered(url, duration_ms, status, body=body)
        return result

    return load


def _asked(driver: Any, pages: Pages, goes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    asked = (args[0] if args else kwargs.get("url")) if goes else pages.read(getattr, driver, "current_url")
    return asked if isinstance(asked, str) else ""
