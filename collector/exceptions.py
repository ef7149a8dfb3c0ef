"""Tells from an exception what went wrong with a page, by the names of its types: no library is imported for it."""

NETWORK = "network"
TIMEOUT = "timeout"
PARSE_ERROR = "parse_error"

_MOST_CAUSES = 8

# By the name of a type, anywhere among the bases: requests, httpx, aiohttp, urllib3, playwright, selenium, twisted, ...
_TIMEOUTS = frozenset(
    {
        "TimeoutError",
        "Timeout",
        "TimeoutException",
        "ReadTimeout",
        "ConnectTimeout",
        "WriteTimeout",
        "PoolTimeout",
        "ServerTimeoutError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "SocketTimeoutError",
        "ConnectionTimeoutError",
        "TCPTimedOutError",
        "ScriptTimeoutException",
        "UserTimeoutError",
    }
)
_NETWORKS = frozenset(
    {
        "ConnectionError",
        "RequestException",
        "TransportError",
        "NetworkError",
        "ClientError",
        "ClientConnectionError",
        "HTTPException",
        "HTTPError",
        "RequestError",
        "TooManyRedirects",
        "SSLError",
        "ProxyError",
        "ProtocolError",
        "RemoteProtocolError",
        "URLError",
        "gaierror",
        "herror",
        "ConnectError",
        "DNSLookupError",
        "ConnectionRefused",
        "ConnectionLost",
        "ConnectionDone",
        "ResponseNeverReceived",
        "ResponseFailed",
        "TunnelError",
        "InvalidURL",
        "NewConnectionError",
        "MaxRetryError",
        "WebDriverException",
        "TargetClosedError",
        "IncompleteRead",
        "StreamError",
    }
)
# Ours even where a library files them under the above: the page was there, and wasn't what the scraper looks for.
_PARSES = frozenset(
    {
        "NoSuchElementException",
        "StaleElementReferenceException",
        "InvalidSelectorException",
        "ElementNotInteractableException",
        "ElementClickInterceptedException",
        "JSONDecodeError",
        "ContentTypeError",
        "DecodingError",
        "XPathError",
        "ParserError",
        "InvalidJSONError",
        "ContentDecodingError",
    }
)


def kind_of(exc: BaseException) -> str | int:
    """Say what an exception means for a page.

    Args:
        exc: Whatever was raised; its causes are looked at as well.

    Returns:
        `timeout`, `network`, `parse_error` (everything that comes out of the scraper's own code), or the HTTP status
        that the exception carries (`raise_for_status`).
    """
    looked_at: set[int] = set()
    one: BaseException | None = exc
    while one is not None and len(looked_at) < _MOST_CAUSES and id(one) not in looked_at:
        looked_at.add(id(one))
        kind = _kind_of_one(one)
        if kind is not None:
            return kind
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return PARSE_ERROR


def _kind_of_one(exc: BaseException) -> str | int | None:
    names = [base.__name__ for base in type(exc).__mro__]
    if not _PARSES.isdisjoint(names):
        return PARSE_ERROR
    status = _status_of(exc)
    if status is not None:
        return status
    if not _TIMEOUTS.isdisjoint(names):
        return TIMEOUT
    text = _text_of(exc)
    if names[0] == "Error" and "playwright" in type(exc).__module__:
        # One type for all: the browser's own words tell.
        if "net::ERR_TIMED_OUT" in text or "net::ERR_CONNECTION_TIMED_OUT" in text:
            return TIMEOUT
        if "net::ERR_" in text or "NS_ERROR_" in text or "has been closed" in text:
            return NETWORK
        return None
    if names[0] == "WebDriverException" and ("timeout" in text or "ERR_TIMED_OUT" in text):
        return TIMEOUT
    if not _NETWORKS.isdisjoint(names):
        return NETWORK
    if isinstance(exc, OSError) and not isinstance(exc, FileNotFoundError | PermissionError | IsADirectoryError):
        return NETWORK
    return None


def _status_of(exc: BaseException) -> int | None:
    """Read the HTTP status that `raise_for_status` and the like put on an exception."""
    for holder in (getattr(exc, "response", None), exc):
        for name in ("status_code", "status", "code"):
            try:
                status = getattr(holder, name, None)
            except Exception:  # noqa: BLE001 - a foreign property may raise anything; then there is no status to tell
                status = None
            if type(status) is int and 400 <= status <= 599:
                return status
    return None


def _text_of(exc: BaseException) -> str:
    try:
        return str(exc)[:2000]
    except Exception:  # noqa: BLE001 - somebody's __str__ may raise anything
        return ""
