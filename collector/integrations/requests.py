"""requests: `track_session(requests.Session(), "cnbc")` records a navigation for each page that the session loads."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from collector.integrations.pages import Pages, missing, replace_method, since_ms

try:
    import requests
except ImportError as exc:
    raise missing("requests", "requests", exc) from exc

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from collector.integrations.pages import Options

S = TypeVar("S", bound="requests.Session")


def track_session(session: S, scraper_source: str, **options: Unpack[Options]) -> S:
    """Record what a session loads: one navigation for a request, with its redirects and its adapter's retries.

    The duration ends when the body is there (with `stream=True`, when the headers are). Sessions of subclasses
    (cloudscraper, requests-cache, ...) work the same. Tracking a session again replaces what was said before.

    Args:
        session: A session; several threads may use it.
        scraper_source: Name of the scraper.
        **options: See `collector.integrations.pages.Options`.

    Returns:
        The same session.

    Raises:
        TypeError: That is no session.
        InvalidMetric: `scraper_source` is no name.
    """
    if not isinstance(session, requests.Session):
        raise TypeError(f"track_session needs a requests.Session, got {type(session).__name__}")
    pages = Pages(scraper_source, **options)
    inside = threading.local()  # a session sends the requests that redirects lead to by itself

    def make(inner: Any) -> Any:
        def send(request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            if getattr(inside, "sending", False):
                return inner(request, **kwargs)  # type: ignore[no-any-return]
            url = str(getattr(request, "url", ""))
            inside.sending = True
            began_s = perf_counter()
            try:
                response: requests.Response = inner(request, **kwargs)
            except BaseException as exc:
                last = getattr(exc, "response", None)
                pages.failed(
                    url,
                    since_ms(began_s),
                    exc,
                    status=getattr(last, "status_code", None),
                    retry_count=pages.read(_retries_until, exc, session, last, default=0),
                )
                raise
            finally:
                inside.sending = False
            pages.answered(
                url,
                since_ms(began_s),
                response.status_code,
                retry_count=pages.read(_retries_of, response, default=0),
                headers=response.headers,
                body=None if kwargs.get("stream", session.stream) else response.content,
            )
            return response

        return send

    replace_method(session, "send", make)
    return session


def _retries_of(response: requests.Response) -> int:
    """Count what urllib3 tried again for a response and the redirects before it."""
    count = 0
    for one in (*response.history, response):
        tried = getattr(getattr(one.raw, "retries", None), "history", ())
        count += sum(attempt.redirect_location is None for attempt in tried)
    return count


def _retries_until(exc: BaseException, session: requests.Session, last: requests.Response | None) -> int:
    """Count what urllib3 tried again before it gave up: it doesn't say so, but it gives up when a bound is reached."""
    before = _retries_of(last) if last is not None else 0
    cause: Any = exc.args[0] if exc.args else None
    if type(cause).__name__ != "MaxRetryError":
        return before
    request = exc.request  # type: ignore[attr-defined] # requests sets it on all that it raises
    bounds = session.get_adapter(request.url).max_retries  # type: ignore[attr-defined] # of HTTPAdapter, who raised it
    kind = {"ResponseError": "status", "NewConnectionError": "connect", "ConnectTimeoutError": "connect"}
    of_kind = getattr(bounds, kind.get(type(cause.reason).__name__, "read"), None)
    given = [int(bound) for bound in (bounds.total, of_kind) if bound is not None and bound is not False]
    return before + min(given, default=0)
