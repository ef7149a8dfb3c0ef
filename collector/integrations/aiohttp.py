"""aiohttp: `ClientSession(trace_configs=[trace_config("cnbc")])` records a navigation for each page that it loads."""

from __future__ import annotations

import time
import weakref
from time import perf_counter
from typing import TYPE_CHECKING, Any

from collector.integrations.pages import Pages, missing, since_ms

try:
    import aiohttp
except ImportError as exc:
    raise missing("aiohttp", "aiohttp", exc) from exc

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from collector.integrations.pages import Options


class _Load:
    """One request with its redirects; aiohttp hands it to each callback."""

    def __init__(self, trace_request_ctx: object = None) -> None:  # noqa: ARG002 - what aiohttp passes
        self.began_s = perf_counter()
        self.url = ""
        self.sent = 0
        self.redirects = 0

    @property
    def retry_count(self) -> int:
        """How often aiohttp sent it again by itself (it does so once, when the connection breaks)."""
        return max(0, self.sent - self.redirects - 1)


def trace_config(scraper_source: str, **options: Unpack[Options]) -> aiohttp.TraceConfig:
    """Record what a session loads: one navigation for a request, with its redirects.

    The duration ends when the body has been read (`await response.text()`, `read`, `json`). A body that is read in
    pieces, or not at all, ends it with the headers; that it broke off is recorded all the same.

    Args:
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        For `aiohttp.ClientSession(trace_configs=[...])`; any number of sessions may share it.

    Raises:
        InvalidMetric: `scraper_source` is no name.
    """
    pages = Pages(scraper_source, **options)

    async def on_start(_session: Any, load: _Load, params: aiohttp.TraceRequestStartParams) -> None:
        load.url = str(params.url)

    async def on_sent(_session: Any, load: _Load, _params: aiohttp.TraceRequestHeadersSentParams) -> None:
        load.sent += 1

    async def on_redirect(_session: Any, load: _Load, _params: aiohttp.TraceRequestRedirectParams) -> None:
        load.redirects += 1

    async def on_exception(_session: Any, load: _Load, params: aiohttp.TraceRequestExceptionParams) -> None:
        status = getattr(params.exception, "status", None) or None
        pages.failed(load.url, since_ms(load.began_s), params.exception, status=status, retry_count=load.retry_count)

    async def on_end(_session: Any, load: _Load, params: aiohttp.TraceRequestEndParams) -> None:
        params.response.read = _Reading(params.response, load, pages)  # type: ignore[method-assign] # text() calls it

    config: Any = aiohttp.TraceConfig(trace_config_ctx_factory=_Load)  # type: ignore[arg-type] # it takes any class
    config.on_request_start.append(on_start)
    config.on_request_headers_sent.append(on_sent)
    config.on_request_redirect.append(on_redirect)
    config.on_request_exception.append(on_exception)
    config.on_request_end.append(on_end)
    return config  # type: ignore[no-any-return]


class _Reading:
    """Stands for a response's `read`: the first one to have the body, or to hear that there is none.

    It doesn't hold the response: that is to end as soon as the scraper drops it.
    """

    def __init__(self, response: aiohttp.ClientResponse, load: _Load, pages: Pages) -> None:
        self._response = weakref.ref(response)
        self._load = load
        self._pages = pages
        self._status = response.status
        self._headers = response.headers
        # A response that is read in pieces, or not at all, is recorded when it is gone, as it was at its headers.
        self._unread = weakref.finalize(
            response, pages.answered, load.url, since_ms(load.began_s), response.status,
            retry_count=load.retry_count, headers=response.headers, recorded_at=time.time() * 1000,
        )  # fmt: skip

    async def __call__(self) -> bytes:
        response = self._response()
        if response is None:
            raise RuntimeError("the response of this read() is gone")
        load = self._load
        try:
            body = await type(response).read(response)
        except BaseException as exc:
            if self._unread.detach() is not None:
                self._pages.failed(
                    load.url, since_ms(load.began_s), exc, status=self._status, retry_count=load.retry_count
                )
            raise
        if self._unread.detach() is not None:
            self._pages.answered(
                load.url,
                since_ms(load.began_s),
                self._status,
                retry_count=load.retry_count,
                headers=self._headers,
                body=body,
            )
        return body
