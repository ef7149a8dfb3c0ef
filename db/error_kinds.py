"""What kind of error a text tells of: numbers, ids and URLs folded, so that one trouble is one group."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_KIND_CHARS = 200

# An HTTP status or an error code says what kind it is; any other number is an accident of this one failure. Numbers
# inside a word (utf8, h2, proxy3) belong to the word.
_FOLDED = re.compile(
    r"(?P<kept>\b(?:HTTP(?:/\d(?:\.\d)?)?|status(?:[ _]code)?|code|errno)\b\W{0,3}\d{1,5}\b)"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+)"
    r"|(?P<id>\b(?:0x[0-9a-f]+|(?=[0-9a-f-]*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,}){0,4})\b)"
    r"|(?P<number>(?<![A-Za-z_\d])\d+(?:[.,:]\d+)*)",
    re.IGNORECASE,
)

_PLACEHOLDER = re.compile(r"<url>|<id>|<n>|\s+|<(?:url?|u|id?|n)?$")  # one may be cut


@lru_cache(maxsize=16_384)
def kind_of_error(text: str) -> str:
    """Return an error text with what differs from one failure to the next folded away.

    Args:
        text: What a scraper reported; "" stands for nothing.

    Returns:
        At most MAX_KIND_CHARS characters in one line: "timeout after <n>ms at <url>".
    """
    folded = _FOLDED.sub(_fold, text[: 4 * MAX_KIND_CHARS])
    return " ".join(folded.split())[:MAX_KIND_CHARS]


def longest_piece(kind: str) -> str:
    """Return the longest text that every error of a kind holds as it is: what to look for before any is folded.

    Args:
        kind: What `kind_of_error` returned.
    """
    return max(_PLACEHOLDER.split(kind), key=len, default="")


def _fold(found: re.Match[str]) -> str:
    if found.lastgroup == "kept":
        return found.group()
    return {"url": "<url>", "id": "<id>", "number": "<n>"}[found.lastgroup or ""]
