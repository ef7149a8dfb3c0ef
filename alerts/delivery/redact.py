"""Texts of libraries without what is secret about a channel: they love to repeat addresses, tokens included."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote, unquote_plus

from alerts.channels import ChannelSecret

MOST_CHARS: Final = 300
_LEAST_PIECE: Final = 3  # shorter ones are in every word, and no secrets
_DELIMITERS: Final = re.compile(r"[/?&=@:#,;+\s]+")
_ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://[^\s'\"<>)]+")
_SPACE: Final = re.compile(r"[\x00-\x20\x7f]+")
_HIDDEN: Final = "…"


def redacted(text: str, secret: ChannelSecret) -> str:
    """Return a text in one line, without any part of a channel's address or key.

    Args:
        text: What a library or a receiver said.
        secret: What mustn't be told.
    """
    for piece in sorted(_pieces(secret), key=lambda piece: (-len(piece), piece)):
        text = re.sub(re.escape(piece), _HIDDEN, text, flags=re.IGNORECASE)
    text = _ADDRESS.sub(rf"\1://{_HIDDEN}", text)
    text = _SPACE.sub(" ", text).strip()
    return text if len(text) <= MOST_CHARS else text[: MOST_CHARS - 1] + _HIDDEN


def _pieces(secret: ChannelSecret) -> set[str]:
    found = {secret.url, secret.key}
    _, _, rest = secret.url.partition("://")
    for part in (rest, *_DELIMITERS.split(rest), *_DELIMITERS.split(unquote(rest)), secret.key.partition("_")[2]):
        found |= {part, unquote(part), unquote_plus(part), quote(unquote(part), safe="")}
    return {piece for piece in found if len(piece) >= _LEAST_PIECE}
