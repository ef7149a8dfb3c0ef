"""Playwright: `track_page(page, "cnbc")`, sync or async, records a navigation for each `page.goto`."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from collector.integrations.pages import Pages, first_line, missing, replace_method, since_ms

try:
    from playwright import async_api, sync_api
except ImportError as exc:
    raise missing("playwright", "playwright", exc) from exc

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from collector.integrations.pages import Options

P = TypeVar("P", sync_api.Page, async_api.Page)
C = TypeVar("C", sync_api.BrowserContext, async_api.BrowserContext)

_METHODS = ("goto", "reload", "go_back", "go_forward")


def track_page(page: P, scraper_source: str, **options: Unpack[Options]) -> P:
    """Record what a page loads: one navigation for each `goto`, `reload`, `go_back` and `go_forward`.

    The duration is that of the call, until its `wait_until`. What the page loads by itself (a click on a link, a form)
    isn't seen: put `collector.track_navigation` around it. Tracking a page again replaces what was said before.

    Args:
        page: A page of the sync or the async API.
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        The same page.

    Raises:
        TypeError: That is no page.
        InvalidMetric: `scraper_source` is no name.
    """
    if not isinstance(page, sync_api.Page | async_api.Page):
        raise TypeError(f"track_page needs a Playwright Page, got {type(page).__name__}")
    _watch(page, Pages(scraper_source, **options))
    return page


def track_context(context: C, scraper_source: str, **options: Unpack[Options]) -> C:
    """Record what all pages of a browser context load, those that it has and those that it will have.

    Args:
        context: A context of the sync or the async API.
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        The same context.

    Raises:
        TypeError: That is no context.
        InvalidMetric: `scraper_source` is no name.
    """
    if not isinstance(context, sync_api.BrowserContext | async_api.BrowserContext):
        raise TypeError(f"track_context needs a Playwright BrowserContext, got {type(context).__name__}")
    pages = Pages(scraper_source, **options)
    for page in context.pages:
        _watch(page, pages)
    context.on("page", lambda page: _watch(page, pages))
    return context


def _watch(page: Any, pages: Pages) -> None:
    around = _sync if isinstance(page, sync_api.Page) else _async
    for name in _METHODS:
        replace_method(page, name, lambda inner, goes=name == "goto": around(inner, page, pages, goes))  # type: ignore[misc]


def _sync(inner: Any, page: Any, pages: Pages, goes: bool) -> Any:
    def load(*args: Any, **kwargs: Any) -> Any:
        began_s = perf_counter()
        try:
            response = inner(*args, **kwargs)
        except BaseException as exc:
            pages.failed(_asked(page, pages, goes, args, kwargs), since_ms(began_s), first_line(exc))
            raise
        duration_ms = since_ms(began_s)
        if response is not None or not goes:
            body = None
            if pages.read(_is_judged, response, default=False):
                body = pages.read(lambda: response.body())
            _answered(pages, _asked(page, pages, goes, args, kwargs), duration_ms, response, body)
        return response

    return load


def _async(inner: Any, page: Any, pages: Pages, goes: bool) -> Any:
    async def load(*args: Any, **kwargs: Any) -> Any:
        began_s = perf_counter()
        try:
            response = await inner(*args, **kwargs)
        except BaseException as exc:
            pages.failed(_asked(page, pages, goes, args, kwargs), since_ms(began_s), first_line(exc))
            raise
        duration_ms = since_ms(began_s)
        if response is not None or not goes:
            body = None
            if pages.read(_is_judged, response, default=False):
                try:
                    body = await response.body()
                except Exception as exc:  # noqa: BLE001 - the page may have gone on in between
                    pages.complain(exc)
            _answered(pages, _asked(page, pages, goes, args, kwargs), duration_ms, response, body)
        return response

    return load


def _asked(page: Any, pages: Pages, goes: bool, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Say which page was asked for."""
    asked = (args[0] if args else kwargs.get("url")) if goes else pages.read(getattr, page, "url")
    return asked if isinstance(asked, str) else ""


def _answered(pages: Pages, url: str, duration_ms: float, response: Any, body: bytes | None) -> None:
    if response is None:  # to where the page was already, or within it
        pages.answered(url, duration_ms, None)
        return
    headers = pages.read(getattr, response, "headers")
    pages.answered(url, duration_ms, pages.read(getattr, response, "status"), headers=headers, body=body)


def _is_judged(response: Any) -> bool:
    """Say whether a page's body may be one that asks whether the visitor is human: fetching it costs milliseconds."""
    return response is not None and response.status < 400 and "html" in response.headers.get("content-type", "")
