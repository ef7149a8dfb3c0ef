"""Takes credentials and secret-looking values out of URLs, before they leave the process."""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

HIDDEN = "***"

# user:password@ of the URL itself, and of URLs inside of it, which end at "&"; browsers take "\" for "/" there.
_OWN_USER_INFO = re.compile(r"^(\s*(?:[A-Za-z][\w+.-]*:)?[/\\]{2})[^/\\?#]*@")
_USER_INFO = re.compile(r"(?<=[/\\]{2})[^/\\?#&\s]*@")
# A password with an unescaped "/", "?" or "#" in it: what follows the ":" is no port, so it is no address either.
_BROKEN_USER_INFO = re.compile(r"(?<=://)[^/?#&\s@:]*:(?!\d*(?:[/?#&\s]|$))[^@\s]*@")
# Parameters of the query and the fragment, and those of path segments (";jsessionid=...").
_PARAMETER = re.compile(r"([?&#])([^?&;#=]+)=([^&#]+)|(;)([^?&;#=]+)=([^?&;#]+)")
_URL_IN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+")
# No host is longer than 253 characters: a longer one is a cut user:password@.
_ENDLESS_HOST = re.compile(r"(?<=://)[^/\\?#\s]{300,}")

_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|signature|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key|authori[sz]"
    r"|session|jwt|bearer|csrf|xsrf|oauth|[-_]key$|^(?:key|sig|sign|sid|auth|pwd|pass|pw|otp|ticket)$"
)
# Forms that are secrets whatever the parameter's name is: JSON web tokens and the prefixes of well-known issuers.
_SECRET_VALUE = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30}|gh[oprsu]_\w{20}|github_pat_\w{20}|glpat-[\w-]{16}"
    r"|xox[abeoprs]-[\w-]{10}|(?:sk|rk|pk)[-_](?:live|test|proj|ant)[-_]\w{8}|ya29\.[\w-]{10}"
)
_LONG_URL_CHARS = 300  # a shorter one has no such host
_MAX_NESTING = 3


def redact_url(url: str) -> str:
    """Remove `user:password@` and the values of secret-looking parameters from a URL.

    Args:
        url: Any URL, well-formed or not.

    Returns:
        The URL without its user part, and with `***` for the value of each parameter whose name (`token`, `api_key`,
        `X-Amz-Signature`, ...) or form (a JSON web token, ...) looks like a secret. URLs inside of parameters are
        treated the same. Redacting twice changes nothing more.
    """
    return _redact(url, 0) if "=" in url or "@" in url or len(url) > _LONG_URL_CHARS else url


def redact_text(text: str) -> str:
    """Remove credentials and secret-looking values from the URLs inside a text, an error message for instance."""
    if "://" not in text:
        return text
    return _URL_IN_TEXT.sub(lambda found: _redact(found.group(), 0), text)


def _redact(url: str, nesting: int) -> str:
    if "@" in url:
        url = _USER_INFO.sub("", _OWN_USER_INFO.sub(r"\1", url))
        if "@" in url:
            url = _BROKEN_USER_INFO.sub("", url)
    if len(url) > _LONG_URL_CHARS:
        url = _ENDLESS_HOST.sub(HIDDEN, url)
    if "=" in url:
        return _PARAMETER.sub(lambda found: _redact_parameter(found, nesting), url)
    return url


def _redact_parameter(found: re.Match[str], nesting: int) -> str:
    start, name, value = found.group(1, 2, 3) if found.group(1) else found.group(4, 5, 6)
    if _is_secret_name(name) or _SECRET_VALUE.match(value):
        return f"{start}{name}={HIDDEN}"
    if nesting < _MAX_NESTING:
        if "=" in value:  # a URL inside that isn't encoded, or ";" between parameters
            value = _redact(value, nesting + 1)
        if "%" in value:
            inner = unquote(value)
            hidden = _redact(inner, nesting + 1)
            if hidden != inner:
                value = quote(hidden, safe="*")
    return f"{start}{name}={value}"


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search((unquote(name) if "%" in name else name).lower()) is not None
