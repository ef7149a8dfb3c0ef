"""What one open page shows (page, time range, filters, live or paused), and its query string."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from components.timerange import (
    DEFAULT_FROM,
    DEFAULT_TO,
    LONGEST_MS,
    MOST_BUCKETS,
    MomentError,
    bucket_for,
    is_relative,
    parse_moment,
)
from db.results import Filter, TimeRange

RESULTS: Final = ("all", "ok", "failed")
LONGEST_SOURCE: Final = 50
LONGEST_Q: Final = 200
MOST_SOURCES: Final = 100
COARSE_BUCKETS: Final = 60
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
# Any moment does to judge how a time is written.
_SOME_MOMENT_MS: Final = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class View:
    """A page with its time range and filters; all of it is in the URL, so that a link shows the same view.

    Args:
        path: The page's path, percent-encoded, for instance `/` or `/scrapers/robin%20hood`.
        from_: The range's start as the query string writes it, for instance `now-15m`.
        to: Its end.
        sources: The chosen sources, sorted; empty for all.
        result: `all`, `ok` or `failed`.
        q: Text that URLs must contain, case-insensitively; empty for all.
        live: False when the page is paused.
        problems: What was wrong with the query string, a sentence each; no part of the view's identity.
    """

    path: str = "/"
    from_: str = DEFAULT_FROM
    to: str = DEFAULT_TO
    sources: tuple[str, ...] = ()
    result: str = "all"
    q: str = ""
    live: bool = True
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, pathname: str | None, search: str | None) -> View:
        """Read a view from an address; never raises: what can't be understood becomes the default and a problem.

        Args:
            pathname: The address' path.
            search: Its query string, with or without the question mark.
        """
        problems: list[str] = []
        asked = _fields(search or "", problems)
        from_, to = _range(asked, problems)
        return cls(
            path=_canonical_path(pathname or "/"),
            from_=from_,
            to=to,
            sources=_sources(asked.get("source", []), problems),
            result=_result(asked, problems),
            q=_clean(_last(asked, "q"))[:LONGEST_Q].strip(),
            live=_last(asked, "live") not in ("0", "false", "no"),
            problems=tuple(problems),
        )

    def href(self) -> str:
        """Return the canonical address: defaults left out, parameters in one order."""
        return self.path + self.search()

    def search(self) -> str:
        """Return the canonical query string with its question mark, or an empty text when all is default."""
        pairs = [("from", self.from_)] if self.from_ != DEFAULT_FROM else []
        pairs += [("to", self.to)] if self.to != DEFAULT_TO else []
        pairs += [("source", source) for source in self.sources]
        pairs += [("result", self.result)] if self.result != "all" else []
        pairs += [("q", self.q)] if self.q else []
        pairs += [] if self.live else [("live", "0")]
        return "?" + urlencode(pairs, quote_via=quote, safe=":/", errors="replace") if pairs else ""

    def at(self, path: str) -> View:
        """Return the same range and filters on another page.

        Args:
            path: That page's path, percent-encoded.
        """
        return replace(self, path=path, problems=())

    @property
    def filter(self) -> Filter:
        """What the database is asked to keep."""
        return Filter(sources=self.sources, result=self.result, url_contains=self.q)

    @property
    def source_filter(self) -> Filter:
        """The chosen sources alone: how a scraper is doing mustn't depend on looking at its failures only."""
        return Filter(sources=self.sources)

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the range narrows what is shown."""
        return bool(self.sources or self.q or self.result != "all")

    @property
    def follows_now(self) -> bool:
        """Whether the view moves with the clock: live, and its range ends relative to now."""
        return self.live and is_relative(self.to)

    def time_range(self, now_ms: int, *, most_buckets: int = MOST_BUCKETS) -> TimeRange:
        """Return the range in epoch milliseconds, aligned to its bucket so that it moves only when a bucket ends.

        Args:
            now_ms: What `now` is, epoch milliseconds.
            most_buckets: How finely it is cut at most; a percentile of few values is noise.
        """
        start_ms, end_ms, _ = self._bounds(now_ms)
        bucket_ms = bucket_for(end_ms - start_ms, most_buckets)
        # The end is never cut: what happened this very millisecond belongs to the range.
        end_ms = (end_ms // bucket_ms + 1) * bucket_ms if is_relative(self.to) else -(-end_ms // bucket_ms) * bucket_ms
        moves = is_relative(self.from_) and "/" not in self.from_
        start_ms = (start_ms // bucket_ms + 1) * bucket_ms if moves else start_ms // bucket_ms * bucket_ms
        return TimeRange(start_ms=min(start_ms, end_ms - bucket_ms), end_ms=end_ms, bucket_ms=bucket_ms)

    def coarse_range(self, now_ms: int) -> TimeRange:
        """Return the range in at most sixty buckets: for lines of means, percentiles and shares.

        Args:
            now_ms: What `now` is, epoch milliseconds.
        """
        return self.time_range(now_ms, most_buckets=COARSE_BUCKETS)

    def problems_at(self, now_ms: int) -> tuple[str, ...]:
        """Return everything that is wrong with the view, what only the clock can tell included, a sentence each.

        Args:
            now_ms: What `now` is, epoch milliseconds.
        """
        _, _, problem = self._bounds(now_ms)
        return (*self.problems, problem) if problem else self.problems

    def _bounds(self, now_ms: int) -> tuple[int, int, str]:
        try:
            start_ms = parse_moment(self.from_, now_ms)
            end_ms = parse_moment(self.to, now_ms, end=True)
            problem = range_problem(start_ms, end_ms)
        except MomentError as exc:
            problem = exc.message
        if not problem:
            return start_ms, end_ms, ""
        return parse_moment(DEFAULT_FROM, now_ms), now_ms, f"{problem} Showing the last 15 minutes."


def range_problem(start_ms: int, end_ms: int) -> str:
    """Say what is wrong with a range, or nothing.

    Args:
        start_ms: Its start, epoch milliseconds.
        end_ms: Its end.
    """
    if end_ms <= start_ms:
        return "The range ends before it starts."
    if end_ms - start_ms > LONGEST_MS:
        return "The range is longer than ten years."
    return ""


def source_path(source: str) -> str:
    """Return the path of a source's own page.

    Args:
        source: The source's name, any characters.
    """
    return "/scrapers/" + quote(source, safe="", errors="replace")


def source_of(path: str) -> str:
    """Return the source that a `/scrapers/<source>` path names.

    Args:
        path: A view's path.
    """
    return unquote(path.removeprefix("/scrapers/"))


def event_path(event_id: str) -> str:
    """Return the path of an event's own page.

    Args:
        event_id: Its id, "p:123" or "s:45".
    """
    return "/events/" + quote(event_id, safe="", errors="replace")


def event_of(path: str) -> str:
    """Return the event that an `/events/<id>` path names.

    Args:
        path: A view's path.
    """
    return unquote(path.removeprefix("/events/"))


def _fields(search: str, problems: list[str]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(search.removeprefix("?"), keep_blank_values=True, max_num_fields=1_000)
    except ValueError:
        problems.append("The address holds too many parameters: all were left out.")
        return asked
    for name, value in pairs:
        asked.setdefault(name, []).append(value)
    return asked


def _last(asked: dict[str, list[str]], name: str) -> str:
    return asked[name][-1] if name in asked else ""


def _clean(text: str) -> str:
    return _CONTROL.sub("", text).strip()


def _range(asked: dict[str, list[str]], problems: list[str]) -> tuple[str, str]:
    from_ = _clean(_last(asked, "from")) or DEFAULT_FROM
    to = _clean(_last(asked, "to")) or DEFAULT_TO
    for text, end in ((from_, False), (to, True)):
        try:
            parse_moment(text, _SOME_MOMENT_MS, end=end)
        except MomentError as exc:
            problems.append(f"{exc.message} Showing the last 15 minutes.")
            return DEFAULT_FROM, DEFAULT_TO
    return from_, to


def _sources(asked: list[str], problems: list[str]) -> tuple[str, ...]:
    cleaned = {_clean(name) for name in asked} - {""}
    usable = sorted(name for name in cleaned if len(name) <= LONGEST_SOURCE)
    if len(usable) < len(cleaned):
        problems.append(f"A source's name has at most {LONGEST_SOURCE} characters: longer ones were left out.")
    if len(usable) > MOST_SOURCES:
        problems.append(f"At most {MOST_SOURCES} sources can be chosen at once: the rest were left out.")
    return tuple(usable[:MOST_SOURCES])


def _result(asked: dict[str, list[str]], problems: list[str]) -> str:
    result = _clean(_last(asked, "result")) or "all"
    if result in RESULTS:
        return result
    problems.append(f"“{result[:40]}” is no result: choose all, ok or failed. Showing all.")
    return "all"


def _canonical_path(pathname: str) -> str:
    parts = (quote(_clean(unquote(part)), safe="", errors="replace") for part in pathname.split("/"))
    return "/" + "/".join(parts).strip("/")
