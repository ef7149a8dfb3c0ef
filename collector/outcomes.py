"""What a page was worth: `ok`, `empty`, `blocked`, `parse_error`, `network` or `timeout`, whatever HTTP says."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from collector.challenges import find_challenge
from collector.exceptions import kind_of

OK = "ok"
EMPTY = "empty"
BLOCKED = "blocked"
PARSE_ERROR = "parse_error"
NETWORK = "network"
TIMEOUT = "timeout"
OUTCOMES = (OK, EMPTY, BLOCKED, PARSE_ERROR, NETWORK, TIMEOUT)

_TINY_BODY_BYTES = 64  # no page that people read is that short
_ENOUGH_SCRAPES = 3  # of a kind of page, before its history says anything
_MOST_KINDS_OF_PAGES = 5_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a page when its outcome is asked for; None where nobody knows.

    Args:
        scraper_source: Name of the scraper.
        url: The page.
        status_code: HTTP status of the answer.
        headers: Of the answer, by name in any case.
        body: The page's text, or as many bytes of its beginning as there are.
        data_size: Size of the whole, in bytes.
        items_extracted: How many items came out of it.
        exception: What was raised instead.
    """

    scraper_source: str
    url: str | None = None
    status_code: int | None = None
    headers: Mapping[str, str] | None = None
    body: str | bytes | None = None
    data_size: int | None = None
    items_extracted: int | None = None
    exception: BaseException | None = None


# A user's own: gives an outcome, or None where it leaves the answer to ours.
Classifier = Callable[[Evidence], str | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome, and why.

    Args:
        outcome: One of `OUTCOMES`, or a user's own word.
        reason: Why, in a few words (`challenge page: Cloudflare`); None where the outcome says it all.
    """

    outcome: str
    reason: str | None = None

    @property
    def is_success(self) -> bool:
        """Whether the page can have been of use: blocked and failed ones can't, an empty one may be right."""
        return self.outcome not in (BLOCKED, PARSE_ERROR, NETWORK, TIMEOUT)


class History:
    """How often pages of a kind (a scraper's, of one host and path pattern) had items; any thread may use it.

    Args:
        most: How many kinds are remembered: those that were seen last.
    """

    def __init__(self, most: int = _MOST_KINDS_OF_PAGES) -> None:
        self._most = most
        self._lock = threading.Lock()  # protects `_seen`; held for the time of a dict's look-up
        self._seen: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # kind -> (scrapes, with items)

    def note(self, scraper_source: str, url: str | None, items: int) -> None:
        """Remember how many items a page gave that was neither blocked nor broken."""
        kind = (scraper_source, pattern_of(url))
        with self._lock:
            scrapes, full = self._seen.pop(kind, (0, 0))
            self._seen[kind] = (min(scrapes + 1, 1000), min(full + (items > 0), 1000))
            if len(self._seen) > self._most:
                self._seen.popitem(last=False)

    def never_had_items(self, scraper_source: str, url: str | None) -> bool:
        """Say whether such pages have been seen often enough, and none of them had items: then none are expected."""
        with self._lock:
            scrapes, full = self._seen.get((scraper_source, pattern_of(url)), (0, 0))
        return scrapes >= _ENOUGH_SCRAPES and full == 0


def pattern_of(url: str | None) -> str:
    """Say what kind of page a URL is: its host and path, with what varies from page to page taken out."""
    if not isinstance(url, str):
        return ""
    try:
        parts = urlsplit(url[:2048])
        segments = [_segment_pattern(segment) for segment in parts.path.split("/")[:8]]
        return f"{parts.hostname or ''}{'/'.join(segments)}"
    except ValueError:
        return ""


def classify_page(evidence: Evidence, history: History | None = None) -> Verdict:
    """Say what a page was worth.

    Args:
        evidence: What is known of it.
        history: Of pages like it.

    Returns:
        The first that fits: a challenge page or a status that refuses is `blocked`, also with 200 and where an
        exception came after it; an exception is `timeout`, `network`, or `parse_error`; a status of 5xx or 4xx is
        `network`; a page without items is `empty`, unless pages like it never have any; all others are `ok`.
    """
    status = evidence.status_code
    challenge = find_challenge(status, evidence.headers, evidence.body)
    if challenge is not None and not evidence.items_extracted:
        return Verdict(BLOCKED, f"challenge page: {challenge}")
    if status in (401, 403, 407, 429, 451):
        return Verdict(BLOCKED, f"HTTP {status}")
    if evidence.exception is not None:
        return _verdict_of(evidence.exception)
    if status is not None and status >= 400:
        return Verdict(TIMEOUT if status in (408, 504, 522, 524) else NETWORK, f"HTTP {status}")
    if evidence.items_extracted is not None:
        if evidence.items_extracted > 0:
            return Verdict(OK)
        usual = history is not None and history.never_had_items(evidence.scraper_source, evidence.url)
        return Verdict(OK if usual and not _is_tiny(evidence) else EMPTY)
    return Verdict(EMPTY, "the page is as good as empty") if _is_tiny(evidence) else Verdict(OK)


def _verdict_of(exc: BaseException) -> Verdict:
    kind = kind_of(exc)
    if isinstance(kind, int):  # an HTTP status that a library raised
        if kind in (401, 403, 407, 429, 451):
            return Verdict(BLOCKED, f"HTTP {kind}")
        return Verdict(TIMEOUT if kind in (408, 504, 522, 524) else NETWORK, f"HTTP {kind}")
    return Verdict(kind)


def _is_tiny(evidence: Evidence) -> bool:
    body = evidence.body
    if evidence.status_code in (204, 304) or (body is None and evidence.data_size is None):
        return False  # nothing is known of it, or nothing is what it promised
    size = evidence.data_size
    if size is None and body is not None:
        size = len(body.strip())
    return size is not None and size < _TINY_BODY_BYTES and not _is_json(body)


def _is_json(body: str | bytes | None) -> bool:
    if body is None:
        return False
    start = body[:64].strip()[:1]
    return start in ("{", "[", b"{", b"[")


def _segment_pattern(segment: str) -> str:
    if any(character.isdigit() for character in segment):
        return "#"
    return segment if len(segment) <= 24 else "~"  # a title in the path: another one for each page
