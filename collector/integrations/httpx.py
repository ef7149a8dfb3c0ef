"""httpx: `track_client(httpx.Client(), "cnbc")`, or an AsyncClient, records a navigation for each page it loads."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from collector.integrations.pages import Pages, missing, replace_method, since_ms

try:
    import httpx
except ImportError as exc:
    raise missing("httpx", "httpx", exc) from exc

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from collector.integrations.pages import Options

C = TypeVar("C", httpx.Client, httpx.AsyncClient)


def track_client(client: C, scraper_source: str, **options: Unpack[Options]) -> C:
    """Record what a client loads: one navigation for a request, with its redirects and its transport's retries.

    It is put around `send`, not below it as a transport: a transport sees every step of a redirect apart and never
    hears that there were too many of them. The duration ends when the body is there (with `stream`, when the headers
    are). Tracking a client again replaces what was said before.

    Args:
        client: A client, sync or async; with any transport, proxy and hooks.
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        The same client.

    Raises:
        TypeError: That is no client.
        InvalidMetric: `scraper_source` is no name.
    """
    if not isinstance(client, httpx.Client | httpx.AsyncClient):
        raise TypeError(f"track_client needs an httpx.Client or AsyncClient, got {type(client).__name__}")
    pages = Pages(scraper_source, **options)
    replace_method(client, "send", lambda inner: (_sync if isinstance(client, httpx.Client) else _async)(inner, pages))
    return client


def _sync(inner: Any, pages: Pages) -> Any:
    def send(request: httpx.Request, *, stream: bool = False, **kwargs: Any) -> httpx.Response:
        load = _Load(pages, request)
        try:
            load.count_retries(_Counting)
            response: httpx.Response = inner(request, stream=stream, **kwargs)
        except BaseException as exc:
            load.failed(exc)
            raise
        load.answered(response, stream)
        return response

    return send


def _async(inner: Any, pages: Pages) -> Any:
    async def send(request: httpx.Request, *, stream: bool = False, **kwargs: Any) -> httpx.Response:
        load = _Load(pages, request)
        try:
            load.count_retries(_CountingAsync)
            response: httpx.Response = await inner(request, stream=stream, **kwargs)
        except BaseException as exc:
            load.failed(exc)
            raise
        load.answered(response, stream)
        return response

    return send


class _Load:
    """One call of `send`."""

    def __init__(self, pages: Pages, request: httpx.Request) -> None:
        self._pages = pages
        self._url = str(request.url)
        self._request = request
        self._counter: _Counting | _CountingAsync | None = None
        self._began_s = perf_counter()

    def count_retries(self, kind: type[_Counting] | type[_CountingAsync]) -> None:
        """Have httpcore tell of connections that it tries again (`HTTPTransport(retries=...)`)."""
        extensions = self._request.extensions
        self._counter = kind(extensions.get("trace"))
        self._request.extensions = {**extensions, "trace": self._counter}

    def answered(self, response: httpx.Response, stream: bool) -> None:
        self._pages.answered(
            self._url,
            since_ms(self._began_s),
            response.status_code,
            retry_count=self._retries(),
            headers=response.headers,
            body=None if stream else self._pages.read(getattr, response, "content"),
        )

    def failed(self, exc: BaseException) -> None:
        self._pages.failed(self._url, since_ms(self._began_s), exc, retry_count=self._retries())

    def _retries(self) -> int:
        return self._counter.retries if self._counter is not None else 0


class _Counting:
    """httpcore's trace callback, in front of the scraper's own, if it has one."""

    def __init__(self, scrapers_own: Any) -> None:
        self.retries = 0
        self._scrapers_own = scrapers_own

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.retry.started":
            self.retries += 1
        if self._scrapers_own is not None:
            self._scrapers_own(event, info)


class _CountingAsync(_Counting):
    async def __call__(self, event: str, info: dict[str, Any]) -> None:  # type: ignore[override] # as httpcore awaits it
        if event == "connection.retry.started":
            self.retries += 1
        if self._scrapers_own is not None:
            await self._scrapers_own(event, info)
