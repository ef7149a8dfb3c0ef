"""Our own webhook: JSON over HTTP, signed as Standard Webhooks are, so that their libraries verify it.

The signature is HMAC-SHA256 over `id.timestamp.body` (https://www.standardwebhooks.com); the id is the same in every
attempt, the timestamp is that of the attempt.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import orjson
import requests
from requests.auth import HTTPBasicAuth

from alerts.channels import ChannelSecret, key_bytes
from alerts.delivery.attempt import Attempt
from alerts.delivery.parcel import Parcel
from alerts.delivery.redact import redacted
from alerts.texts import Texts

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 10.0
# Client errors that pass by themselves: request time-out, too early, too many requests.
_PASSING: Final = frozenset({408, 425, 429})


def signature(key: str, id: str, timestamp_s: int, body: bytes) -> str:
    """Return what proves that a message is ours.

    Args:
        key: The channel's key.
        id: The message's id.
        timestamp_s: When it is sent, epoch seconds.
        body: Its body.
    """
    signed = hmac.new(key_bytes(key), f"{id}.{timestamp_s}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def send_webhook(
    parcel: Parcel, secret: ChannelSecret, texts: Texts, *, clock_s: Callable[[], float] = time.time
) -> Attempt:
    """Send a message to a webhook, once.

    Args:
        parcel: What is told.
        secret: Where it goes, and what it is signed with.
        texts: Who writes.
        clock_s: The present in epoch seconds.
    """
    now_s = clock_s()
    body = orjson.dumps(parcel.public(texts, int(now_s * 1000)))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Scrapeboard",
        ID_HEADER: parcel.id,
        TIMESTAMP_HEADER: str(int(now_s)),
        SIGNATURE_HEADER: signature(secret.key, parcel.id, int(now_s), body),
    }
    try:
        # Neither followed elsewhere nor read: what an address inside the operator's network answers is told nobody.
        with requests.post(
            secret.url,
            data=body,
            headers=headers,
            auth=_Authority(secret.url),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            allow_redirects=False,
            stream=True,
        ) as answer:
            return _judged(answer)
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        return Attempt(False, "its address can't be used", permanent=True)
    except (requests.exceptions.RequestException, OSError) as exc:
        return Attempt(False, redacted(_reason(exc), secret))


class _Authority:
    """Authorizes as the address says, and not as a .netrc that happens to lie about."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._basic = HTTPBasicAuth(unquote(parts.username), unquote(parts.password or "")) if parts.username else None

    def __call__(self, request: Any) -> Any:
        return request if self._basic is None else self._basic(request)


def _judged(answer: requests.Response) -> Attempt:
    status = answer.status_code
    if 200 <= status < 300:
        return Attempt(True)
    if 300 <= status < 400:
        return Attempt(False, f"answered {status}, a redirect: those aren't followed", permanent=True)
    permanent = 400 <= status < 500 and status not in _PASSING
    return Attempt(False, f"answered {status}", permanent=permanent, retry_after_s=_retry_after_s(answer))


def _retry_after_s(answer: requests.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    if text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _reason(exc: BaseException) -> str:
    """Say why there was no answer, in the words of the system: libraries wrap it in a lot of their own."""
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    if isinstance(exc, requests.exceptions.Timeout):
        return f"no answer within {READ_TIMEOUT_S:g} s"
    seen: set[int] = set()
    to_look_at: list[Any] = [exc]
    while to_look_at:
        one = to_look_at.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ssl.SSLCertVerificationError):
            return f"its certificate isn't trusted: {one.verify_message}"
        if isinstance(one, ssl.SSLError):
            return f"TLS failed: {one.reason or 'the connection was closed'}"
        if isinstance(one, TimeoutError):
            return f"no answer within {READ_TIMEOUT_S:g} s"
        if isinstance(one, OSError) and one.strerror:
            return f"no connection: {one.strerror}"
        to_look_at += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return f"no answer ({type(exc).__name__})"
