"""What one open page shows (page, time range, filters, live or paused), and its query string."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal
from urllib.parse import quote, unquote, urlencode

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
from components.view_text import METRICS, ViewText, clean
from db.results import Filter, TimeRange

COARSE_BUCKETS: Final = 60
# Tabs that show one kind of metric: what another tab was narrowed to doesn't apply there.
ONE_KIND_PATHS: Final = ("/navigation", "/scraping")


@dataclass(frozen=True, slots=True)
class View:
    """A page with its time range and filters; all of it is in the URL, so that a link shows the same view.

    Args:
        path: The page's path, percent-encoded, for instance `/` or `/scrapers/robin%20hood`.
        from_: The range's start as the query string writes it, for instance `now-15m`.
        to: Its end.
        sources: The chosen sources, sorted; empty for all.
        kind: `all`, `navigation` or `scrape`; see `shown_kind`.
        result: `all`, `ok` or `failed`.
        outcomes: The chosen outcomes of scrapes, sorted; empty for all.
        error: A kind of error as `db.error_kinds` writes it; empty for all.
        labels: The chosen labels, `key=value` each, sorted: any of those with the same key, and one of every key.
        q: Text that URLs must contain, case-insensitively; empty for all.
        url: The one URL that is shown; empty for all.
        run: The id of the one run of a scraper that is shown; empty for all.
        compare: What the range is compared with: `before`, `day`, `week`, or empty for nothing in particular.
        metric: What the Scrapers tab compares sources by, and what Navigation colours the week by: `p95`, `mean`,
            `success`, `volume`, `items` or `errors`.
        live: False when the page is paused.
        problems: What was wrong with the query string, a sentence each; no part of the view's identity.
    """

    path: str = "/"
    from_: str = DEFAULT_FROM
    to: str = DEFAULT_TO
    sources: tuple[str, ...] = ()
    kind: str = "all"
    result: str = "all"
    outcomes: tuple[str, ...] = ()
    error: str = ""
    labels: tuple[str, ...] = ()
    q: str = ""
    url: str = ""
    run: str = ""
    compare: str = ""
    metric: str = METRICS[0]
    live: bool = True
    problems: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def parse(cls, pathname: str | None, search: str | None) -> View:
        """Read a view from an address; never raises: what can't be understood becomes the default and a problem.

        Args:
            pathname: The address' path.
            search: Its query string, with or without the question mark.
        """
        text = ViewText(search or "")
        from_, to = text.range()
        view = cls(
            path=_canonical_path(pathname or "/"),
            from_=from_,
            to=to,
            sources=text.sources(),
            kind=text.kind(),
            result=text.result(),
            outcomes=text.outcomes(),
            error=text.error(),
            labels=text.labels(),
            q=text.q(),
            url=text.url(),
            run=text.run(),
            compare=text.compare(),
            metric=text.metric(),
            live=text.live(),
        )
        return replace(view, problems=tuple(text.problems))

    def href(self) -> str:
        """Return the canonical address: defaults left out, parameters in one order."""
        return self.path + self.search()

    def search(self) -> str:
        """Return the canonical query string with its question mark, or an empty text when all is default."""
        pairs = [("from", self.from_)] if self.from_ != DEFAULT_FROM else []
        pairs += [("to", self.to)] if self.to != DEFAULT_TO else []
        pairs += [("source", source) for source in self.sources]
        pairs += [("kind", self.kind)] if self.kind != "all" else []
        pairs += [("result", self.result)] if self.result != "all" else []
        pairs += [("outcome", outcome) for outcome in self.outcomes]
        pairs += [("error", self.error)] if self.error else []
        pairs += [("label", label) for label in self.labels]
        pairs += [("q", self.q)] if self.q else []
        pairs += [("url", self.url)] if self.url else []
        pairs += [("run", self.run)] if self.run else []
        pairs += [("compare", self.compare)] if self.compare else []
        pairs += [("metric", self.metric)] if self.metric != METRICS[0] else []
        pairs += [] if self.live else [("live", "0")]
        return "?" + urlencode(pairs, quote_via=quote, safe=":/", errors="replace") if pairs else ""

    def at(self, path: str) -> View:
        """Return the same range and filters on another page; what is a choice of this page alone stays behind.

        Args:
            path: That page's path, percent-encoded.
        """
        return replace(self, path=path, metric=self.metric if path == self.path else METRICS[0], problems=())

    @property
    def filter(self) -> Filter:
        """What the database is asked to keep."""
        return Filter(
            sources=self.sources, kind=self.shown_kind, result=self.result, outcomes=self.outcomes, error=self.error,
            labels=self.labels, url_contains=self.q, url=self.url, run=self.run,
        )  # fmt: skip

    @property
    def source_filter(self) -> Filter:
        """The chosen sources alone: how a scraper is doing mustn't depend on looking at its failures only."""
        return Filter(sources=self.sources)

    @property
    def shown_kind(self) -> Literal["all", "navigation", "scrape"]:
        """The type of metric that the page is narrowed to; `all` on a tab that decides by itself."""
        if self.path in ONE_KIND_PATHS or self.kind not in ("navigation", "scrape"):
            return "all"
        return "navigation" if self.kind == "navigation" else "scrape"

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the range narrows what is shown."""
        return self.filter != Filter()

    def unfiltered(self) -> View:
        """Return the same page and range without any filter."""
        return View(path=self.path, from_=self.from_, to=self.to, compare=self.compare, live=self.live)

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


def _canonical_path(pathname: str) -> str:
    parts = (quote(clean(unquote(part)), safe="", errors="replace") for part in pathname.split("/"))
    return "/" + "/".join(parts).strip("/")
