"""Channels that apprise knows: e-mail, Slack, Discord, Telegram, Teams, ntfy and a hundred more."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

from alerts.apprise_services import library, service_of
from alerts.channels import ChannelSecret
from alerts.delivery.attempt import Attempt
from alerts.delivery.parcel import Parcel
from alerts.delivery.redact import redacted
from alerts.texts import Texts

ID_HEADER: Final = "X-Scrapeboard-Id"
# Mail programs put what refers to the same message into one thread. A message's own id is made by apprise, anew for
# each attempt; what is the same in every attempt is in ID_HEADER.
_GROUP_HEADERS: Final = ("References", "In-Reply-To")
_STATUS: Final = re.compile(r"\berror[=: ]+(\d{3})\b")
_SMTP_REFUSED: Final = re.compile(r"\(5\d\d, b['\"]")
_PASSING: Final = frozenset({408, 425, 429})
# What it says at its lowest level about failures; the rest of that level repeats addresses and messages.
_TELLING: Final = re.compile(r"^(?:\w+ )?Exception: ")
# How urllib3 wraps what happened; the end says it.
_WRAPPED: Final = re.compile(r"HTTPS?ConnectionPool\(.*\(Caused by (.*)$", re.DOTALL)
# How many alerts are named, for services that take less and less.
_NAMED: Final = (20, 10, 5, 2, 1)
# It can be told as Markdown, though apprise takes it for plain text unless told.
_MARKDOWN_TOO: Final = frozenset({"discord"})


def send_by_apprise(parcel: Parcel, secret: ChannelSecret, texts: Texts) -> Attempt:
    """Send a message through apprise, once.

    Args:
        parcel: What is told.
        secret: Where it goes.
        texts: Who writes.
    """
    apprise = library()
    service = service_of(secret.url)
    if service is None:
        return Attempt(False, "apprise doesn't understand its address", permanent=True)
    if isinstance(getattr(service, "headers", None), dict):
        group = parcel.notices[0].group_key if len(parcel.told) == 1 else parcel.id
        thread = f"<{group}@scrapeboard.invalid>"
        service.headers |= {ID_HEADER: parcel.id, **dict.fromkeys(_GROUP_HEADERS, thread)}
    markdown = apprise.NotifyFormat.MARKDOWN
    marked = markdown in (service.resolve_format(None), service.resolve_format(markdown)) and (
        service.resolve_format(None) is markdown or service.schema in _MARKDOWN_TOO
    )
    title, body = _fitting(parcel, texts, service, markdown=marked)
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    result = sender.notify(
        body=body,
        title=title,
        notify_type=_type(parcel),
        body_format=markdown if marked else apprise.NotifyFormat.TEXT,
        log_level=logging.DEBUG,
    )
    done = any(attempt for one in result for attempt in one.attempts)  # `optional` in an address says yes to all
    return Attempt(True) if done else _failed([(entry.level, entry.message) for entry in result.logs()], secret)


def _fitting(parcel: Parcel, texts: Texts, service: Any, *, markdown: bool) -> tuple[str, str]:
    """Return title and text as long as the service takes them; fewer names are better than half a text."""
    for most_named in _NAMED:
        message = texts.of_channel(parcel.channel, parcel.notices, most_named=most_named)
        body = message.markdown if markdown else message.plain
        if len(body) + len(message.title) <= service.body_maxlen:
            break
    return message.title, body


def _type(parcel: Parcel) -> str:
    firing = [notice for notice in parcel.notices if notice.what in ("firing", "still_firing")]
    if any(notice.severity == "critical" for notice in firing):
        return "failure"
    if firing:
        return "info" if all(notice.severity == "info" for notice in firing) else "warning"
    return "info" if any(notice.what == "test" for notice in parcel.notices) else "success"


def _failed(said: list[tuple[str, str]], secret: ChannelSecret) -> Attempt:
    telling = [text for level, text in said if level not in ("DEBUG", "INFO", "TRACE") or _TELLING.match(text)]
    plain = [_WRAPPED.sub(lambda found: found[1].rsplit(": ", 1)[-1].strip("'\")"), one) for one in telling]
    text = "; ".join(_TELLING.sub("", one).strip().rstrip(".") for one in plain)
    statuses = [int(status) for status in _STATUS.findall(text)]
    permanent = bool(statuses) and all(400 <= status < 500 and status not in _PASSING for status in statuses)
    permanent = permanent or _SMTP_REFUSED.search(text) is not None
    return Attempt(False, redacted(text, secret) or "apprise couldn't send it", permanent=permanent)
