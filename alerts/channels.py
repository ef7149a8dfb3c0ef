"""Where notifications go: channels as operators set them up, apart from what is secret about them."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from alerts.apprise_services import understands
from alerts.errors import BadSetting, Fault, parsed
from alerts.matchers import Matchers, match
from alerts.message import checked
from alerts.notices import Entry, Notice
from alerts.rules import Number, SettingId, Severity

ChannelKind = Literal["apprise", "webhook"]
TEMPLATE_NAMES: Final = (
    "title", "body", "what", "severity", "rule", "description", "keys", "count", "reason", "since", "duration", "link",
    "time", "field",
)  # fmt: skip
KEY_PREFIX: Final = "whsec_"  # of keys as Standard Webhooks write them
_LEAST_KEY_CHARS: Final = 16
_MOST_URL_CHARS: Final = 2_000
_SEVERITIES: Final[Mapping[str, int]] = {"info": 0, "warning": 1, "critical": 2}
_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]{0,30})://")

Template = Annotated[str, AfterValidator(lambda text: checked(text, TEMPLATE_NAMES))]


class Channel(BaseModel):
    """Where notifications go, and which of them; its address is a `ChannelSecret`.

    Args:
        id: Its name for programs: what rules name.
        name: Its name for people.
        kind: `apprise` (e-mail, Slack, …) or `webhook` (JSON, signed).
        enabled: Whether it gets anything but tests.
        title: The words of the title, with names in braces (`TEMPLATE_NAMES`); "" for the usual ones.
        body: The words of the text; "" for the usual ones.
        min_severity: What is less bad isn't sent here.
        only: Matchers: which alerts are told here; what a notification lists besides is left out.
        per_minute: How many messages it takes, in the long run.
        burst: How many at once; what comes on top waits and is told together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: SettingId
    name: str = Field(min_length=1, max_length=100)
    kind: ChannelKind = "apprise"
    enabled: bool = True
    title: Template = ""
    body: Template = ""
    min_severity: Severity = "info"
    only: Matchers = ()
    per_minute: Number = Field(default=20.0, ge=0.1, le=600)
    burst: int = Field(default=5, ge=1, le=100)

    def document(self) -> dict[str, Any]:
        """Return it as it is kept in the database."""
        return {"enabled": self.enabled, **self.model_dump(mode="json", exclude_defaults=True)}

    def wanted(self, notice: Notice) -> Notice | None:
        """Return what of a notification is to be told here, None when nothing is.

        Args:
            notice: What is to be told.
        """
        if notice.what == "test":
            return notice
        if _SEVERITIES.get(notice.severity, 2) < _SEVERITIES[self.min_severity]:
            return None
        if not self.only:
            return notice
        firing = tuple(entry for entry in notice.firing if match(self.only, _labels(notice, entry)))
        resolved = tuple(entry for entry in notice.resolved if match(self.only, _labels(notice, entry)))
        if len(firing) == len(notice.firing) and len(resolved) == len(notice.resolved):
            return notice
        # What is new, and whom a reminder is about, may all be left out.
        nothing_new = not firing or (notice.what == "firing" and not any(entry.new for entry in firing))
        if nothing_new and (notice.what == "still_firing" or not resolved):
            return None
        return replace(
            notice,
            what=notice.what if firing else "resolved",
            since_ms=min(entry.fired_ms for entry in firing or resolved),
            firing=firing,
            firing_count=len(firing),
            resolved=resolved,
            resolved_count=len(resolved),
        )


@dataclass(frozen=True, slots=True)
class ChannelSecret:
    """What is secret about a channel: it is never logged and never shown again.

    Args:
        url: Where it sends to: most such addresses carry a password or a token.
        key: What a webhook is signed with.
    """

    url: str = field(default="", repr=False)
    key: str = field(default="", repr=False)

    def text(self) -> str:
        """Return it as it is kept in the database's column for secrets; "" without any."""
        return orjson.dumps({"url": self.url, "key": self.key}).decode() if self.url or self.key else ""


def channel_of(document: Mapping[str, Any]) -> Channel:
    """Make a channel from a document.

    Args:
        document: As `Channel.document` returns it.

    Raises:
        BadSetting: It can't be used; the error says which fields and what they take.
    """
    name = document.get("name") or document.get("id") or "without a name"
    return parsed(Channel, document, what=f"channel {str(name)[:100]}")


def lenient_channel(id: str, document: Mapping[str, Any]) -> tuple[Channel, str]:
    """Make a channel from what the database holds, whatever another version or a hand wrote there.

    Args:
        id: Its id.
        document: What is kept of it.

    Returns:
        (the channel; what is wrong with it, "" when nothing is). Fields that can't be used are as by default: a
        mistake in a template must not keep an alert from being told.
    """
    given = {**document, "id": id}
    try:
        return channel_of({"name": id, **given}), ""
    except BadSetting as exc:
        bad = {fault.field.split(".")[0] for fault in exc.faults}
        kept = {name: value for name, value in given.items() if name not in bad and name in Channel.model_fields}
        try:
            return channel_of({"name": id, **kept, "id": id}), str(exc)
        except BadSetting:
            return Channel.model_construct(id=id, name=id), str(exc)


def checked_secret(kind: ChannelKind, url: str, key: str = "") -> ChannelSecret:
    """Make a channel's secret from what somebody typed.

    Args:
        kind: The channel's kind.
        url: Its address; an apprise URL, or where the webhook goes.
        key: What the webhook is signed with; see `new_key`.

    Raises:
        BadSetting: It can't be used; the error doesn't repeat what was typed.
    """
    url, key = url.strip(), key.strip()
    faults = []
    if problem := _webhook_problem(url) if kind == "webhook" else _apprise_problem(url):
        faults.append(Fault("url", problem))
    if kind == "webhook" and (problem := _key_problem(key)):
        faults.append(Fault("key", problem))
    if faults:
        raise BadSetting("the channel's address", tuple(faults))
    return ChannelSecret(url, key if kind == "webhook" else "")


def secret_of(text: str) -> ChannelSecret:
    """Read what `ChannelSecret.text` wrote; what can't be read is as good as nothing.

    Args:
        text: From the database's column.
    """
    try:
        found = orjson.loads(text) if text else {}
        return ChannelSecret(str(found.get("url", "")), str(found.get("key", "")))
    except (ValueError, AttributeError):
        return ChannelSecret()


def new_key() -> str:
    """Return a fresh key for signing a webhook."""
    return KEY_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_bytes(key: str) -> bytes:
    """Return the bytes that a webhook is signed with.

    Args:
        key: `whsec_` and base64, as Standard Webhooks write it, or any text.
    """
    if key.startswith(KEY_PREFIX):
        try:
            return base64.b64decode(key.removeprefix(KEY_PREFIX), validate=True)
        except binascii.Error:
            pass  # then it is a text like any other
    return key.encode()


def shown(secret: ChannelSecret | str) -> str:
    """Return all that may be shown of a channel's address: `slack://…`, "" without one.

    Args:
        secret: The secret, or its address alone.
    """
    url = secret if isinstance(secret, str) else secret.url
    found = _SCHEME.match(url)
    return f"{found[1].lower()}://…" if found else "…" if url else ""


def _labels(notice: Notice, entry: Entry) -> dict[str, str]:
    own = notice.by.removeprefix("label:")
    reasons = {kind.removeprefix("label:"): value for kind, value in notice.reasons.items()}
    return {
        **notice.labels, **reasons, "rule": notice.rule_id, "name": notice.rule_name, "severity": notice.severity,
        "what": notice.measure, "key": entry.key, **({} if notice.by == "fleet" else {own: entry.key}),
    }  # fmt: skip


def _webhook_problem(url: str) -> str:
    takes = "takes an address like https://example.org/alerts"
    if not url or len(url) > _MOST_URL_CHARS or re.search(r"[\x00-\x20\x7f]", url):
        return f"{takes}, at most {_MOST_URL_CHARS} characters without spaces"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    return "" if usable else takes


def _key_problem(key: str) -> str:
    if len(key) < _LEAST_KEY_CHARS or len(key) > _MOST_URL_CHARS:
        return f"takes {_LEAST_KEY_CHARS} to {_MOST_URL_CHARS} characters"
    return ""


def _apprise_problem(url: str) -> str:
    takes = "takes an apprise URL like mailto://user:password@example.org or slack://TokenA/TokenB/TokenC"
    if not url or len(url) > _MOST_URL_CHARS:
        return f"{takes}, at most {_MOST_URL_CHARS} characters"
    return "" if understands(url) else f"{takes}; apprise doesn't understand this one"
