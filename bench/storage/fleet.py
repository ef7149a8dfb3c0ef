"""A fleet of scrapers and what it recorded in days or a week: seeded, made in numpy so that making it costs little."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.events import Metric, PageNavigation, PageScrape
from db.labels import labels_text
from db.rows import PAGE_COLUMNS

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
DAYS = 7
JOBS = 20
_FAILING = 0.9  # share of failures while a site is down
_TEAMS, _REGIONS, _SOURCES_A_REGION = 4, ("eu", "us", "ap"), 5
_TESTED_SOURCE, _TESTED = 1, 0.02  # share of that source's rows
_CATEGORIES = ("items", "stocks", "news", "search")
_OUTCOMES = np.array(["ok", "empty", "blocked", "parse_error", "network"], dtype=object)
# Kinds of failures from the most frequent on: the HTTP status that comes with each (0: none), and the scrape's outcome.
_STATUS = np.array([0, 503, 403, 0, 200, 429])
_OUTCOME_OF_ERROR = np.array([4, 4, 2, 4, 3, 2])
_ERROR_SHARE = np.array([0.35, 0.25, 0.15, 0.1, 0.1, 0.05])


@dataclass(frozen=True, slots=True)
class Rows:
    """Detail rows in time order, as one list of values for each of PAGE_COLUMNS."""

    columns: dict[str, list[Any]]

    @classmethod
    def of(cls, tuples: Sequence[tuple[Any, ...]]) -> Rows:
        """Make them of what a driver takes; truth values become numbers, as files have them."""
        columns = dict(zip(PAGE_COLUMNS, map(list, zip(*tuples, strict=True)), strict=True))
        return cls(columns | {"success": list(map(int, columns["success"]))})

    def __len__(self) -> int:
        return len(self.columns["created_at"])

    def tuples(self) -> list[tuple[Any, ...]]:
        """Return the rows as a driver takes them."""
        return list(zip(*(self.columns[name] for name in PAGE_COLUMNS), strict=True))

    def tsv(self) -> bytes:
        """Return the rows as LOAD DATA and DuckDB read them: tabs between values, \\N for none."""
        columns = [["\\N" if value is None else value for value in self.columns[name]] for name in PAGE_COLUMNS]
        line = "\t".join(["%s"] * len(columns)) + "\n"
        return "".join(map(line.__mod__, zip(*columns, strict=True))).encode()

    def metrics(self) -> list[Metric]:
        """Return the rows as a scraper would have recorded them."""
        made: list[Metric] = []
        names = (
            "metric_type", "scraper_source", "page_url", "navigation_duration_ms", "retry_count", "status_code",
            "scrape_duration_ms", "items_extracted", "data_size", "outcome", "success", "error",
        )  # fmt: skip
        labels = {text: None if text is None else json.loads(text) for text in set(self.columns["labels"])}
        told_of_each = zip(
            self.columns["created_at"], self.columns["run_id"], map(labels.get, self.columns["labels"]), strict=True
        )
        for kind, source, url, load_ms, retries, status, scrape_ms, items, size, outcome, ok, error, told in zip(
            *(self.columns[name] for name in names), told_of_each, strict=True
        ):
            if kind == "navigation":
                made.append(PageNavigation(source, url, load_ms, bool(ok), retries, error, status, *told))
            else:
                made.append(PageScrape(source, url, scrape_ms, items, bool(ok), error, size, outcome, *told))
        return made


class Fleet:
    """Sources of very different rates, with days, weekends, outages, errors and slow pages.

    Args:
        rows: Detail rows.
        end_ms: Where they end: a full minute, epoch ms.
        days: How long it has recorded them.
        seed: The same seed makes the same rows.
        sources: How many scrapers; the n-th has 1/n^1.1 of the first one's rate (Zipf).
        urls: Pages of each source, some asked far more often than others.
        distinct_urls: A crawl instead: hardly any page is asked twice.
        labelled: Rows have labels, most of them those of their source.
    """

    def __init__(
        self,
        rows: int,
        end_ms: int,
        *,
        days: float = DAYS,
        seed: int = 1,
        sources: int = 20,
        urls: int = 300,
        distinct_urls: bool = False,
        labelled: bool = False,
    ) -> None:
        minutes = round(days * 24 * 60)
        self.rows, self.end_ms, self.start_ms = rows, end_ms, end_ms - minutes * MINUTE_MS
        self.names = [f"scraper{number:02d}" for number in range(sources)]
        self._seed, self._urls, self._distinct, self._labelled = seed, urls, distinct_urls, labelled
        self._crawled = 0
        rng = np.random.default_rng(seed)
        self._share = 1 / np.arange(1, sources + 1) ** 1.1
        self._share /= self._share.sum()
        self._fail_share = rng.uniform(0.003, 0.05, sources)
        self._log_ms = rng.uniform(5.0, 7.5, sources)  # typical durations from 150 ms to 1.8 s
        self._mean_items = rng.uniform(2, 40, sources)
        self._names = np.array(self.names, dtype=object)
        self._domains = np.array([f"www.site{number:02d}.example" for number in range(sources)], dtype=object)
        self._pages = np.array(
            [
                f"https://{domain}/{_CATEGORIES[page % len(_CATEGORIES)]}/{page}?sort=price&page={page % 9}"
                for domain in self._domains
                for page in range(urls)
            ],
            dtype=object,
        )
        moments_ms = self.start_ms + MINUTE_MS * np.arange(minutes)
        hour = (moments_ms % DAY_MS / HOUR_MS)[:, None]
        weekend = ((moments_ms // DAY_MS + 4) % 7 % 6 == 0)[:, None]  # the epoch was a Thursday; 0 is Sunday
        rate = 1 + 0.6 * np.sin(2 * np.pi * (hour - rng.uniform(0, 24, sources)) / 24)
        rate = rate * np.where(weekend, rng.uniform(0.4, 1, sources), 1.0) * self._share
        self._down = np.zeros((minutes, sources), dtype=bool)
        for source in range(sources):
            for outage in range(4):
                first = int(rng.integers(0, minutes - 60))
                if outage % 2:
                    rate[first : first + 60, source] = 0  # the scraper is dead
                else:
                    self._down[first : first + 60, source] = True  # the site is
        self._counts = rng.multinomial(rows, (rate / rate.sum()).ravel()).reshape(minutes, sources)

    def chunks(self, most_rows: int = 40_000) -> Iterator[Rows]:
        """Make the week's rows in time order, so many at a time (more when a single minute has more)."""
        self._crawled = 0  # the same rows again, whoever asks
        sources = len(self.names)
        ends = np.cumsum(self._counts.sum(axis=1))
        first, number = 0, 0
        while first < len(ends):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + most_rows, side="right")))
            counts = self._counts[first:last]
            cell = np.repeat(np.arange(counts.size), counts.ravel())
            minute, source = first + cell // sources, cell % sources
            rng = np.random.default_rng((self._seed, number))
            at_ms = self.start_ms + minute * MINUTE_MS + rng.integers(0, MINUTE_MS, len(cell))
            order = np.argsort(at_ms, kind="stable")
            if len(order):
                yield self._made(rng, source[order], at_ms[order], self._down[minute, source][order])
            first, number = last, number + 1

    def landing(self, rng: np.random.Generator, count: int, start_ms: int, end_ms: int) -> Rows:
        """Make rows of any span, from all sources by their rates."""
        source = rng.choice(len(self.names), count, p=self._share)
        at_ms = np.sort(rng.integers(start_ms, end_ms, count))
        return self._made(rng, source, at_ms, np.zeros(count, dtype=bool))

    def scheduler_runs(self) -> list[tuple[Any, ...]]:
        """Make the week's runs of twenty jobs, values in the order of SCHEDULER_COLUMNS."""
        rng = np.random.default_rng((self._seed, 2))
        runs: list[tuple[Any, ...]] = []
        for job in range(JOBS):
            step_ms = (5, 10, 15, 30, 60)[job % 5] * MINUTE_MS
            source = self.names[job % len(self.names)] if job % 3 else None
            for start_ms in range(self.start_ms + job * 1000, self.end_ms - MINUTE_MS, step_ms):
                duration_ms = round(float(rng.lognormal(8, 1)), 2)
                ok = rng.random() > 0.02
                items, error = (int(rng.poisson(50)), None) if ok else (0, f"exit code {int(rng.integers(1, 4))}")
                at_ms = min(start_ms + int(duration_ms), self.end_ms - 1)
                runs.append((f"job-{job:02d}", source, duration_ms, items, int(ok), error, f"{job}-{start_ms}", at_ms))
        return sorted(runs, key=lambda run: run[-1])

    def _made(
        self,
        rng: np.random.Generator,
        source: npt.NDArray[np.int64],
        at_ms: npt.NDArray[np.int64],
        down: npt.NDArray[np.bool_],
    ) -> Rows:
        size = len(source)
        loads = rng.random(size) < 0.5
        failed = rng.random(size) < np.where(down, _FAILING, self._fail_share[source])
        kind = rng.choice(len(_ERROR_SHARE), size, p=_ERROR_SHARE)
        duration_ms = np.round(rng.lognormal(self._log_ms[source] - np.where(loads, 0, 1.2), 0.8), 2)
        urls = self._asked(rng, source)
        items = np.where(failed, 0, rng.poisson(self._mean_items[source]))
        outcome = np.where(failed, _OUTCOME_OF_ERROR[kind], np.where(items == 0, 1, 0))
        status = np.where(failed, _STATUS[kind], 200)
        retries = np.where(failed, 3, rng.random(size) < 0.06)
        error = np.full(size, None, dtype=object)
        for row in np.flatnonzero(failed).tolist():
            error[row] = _error_text(int(kind[row]), str(urls[row]), int(at_ms[row]))
        hours, place = np.unique(source * 10_000_000 + at_ms // HOUR_MS, return_inverse=True)
        runs = np.array([f"run-{key:x}" for key in hours.tolist()], dtype=object)
        columns = {
            "scraper_source": self._names[source],
            "metric_type": np.where(loads, "navigation", "scrape").astype(object),
            "page_url": urls,
            "domain": self._domains[source],
            "navigation_duration_ms": _or_none(loads, duration_ms),
            "retry_count": _or_none(loads, retries.astype(np.int64)),
            "scrape_duration_ms": _or_none(~loads, duration_ms),
            "items_extracted": _or_none(~loads, items),
            "data_size": _or_none(~loads, rng.lognormal(10.5, 1, size).astype(np.int64)),
            "success": (~failed).astype(np.int64),
            "error": error,
            "status_code": _or_none(loads & (status > 0), status),
            "outcome": _or_none(~loads, _OUTCOMES[outcome]),
            "run_id": runs[place],
            "labels": self._labels(rng, source) if self._labelled else np.full(size, None, dtype=object),
            "fields": np.full(size, None, dtype=object),
            "created_at": at_ms,
        }
        return Rows({name: columns[name].tolist() for name in PAGE_COLUMNS})

    def _labels(self, rng: np.random.Generator, source: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        region, tested = rng.integers(0, len(_REGIONS), len(source)), rng.random(len(source)) < _TESTED
        tested &= source == _TESTED_SOURCE
        texts = np.empty((len(self.names), len(_REGIONS), 2), dtype=object)
        for place in np.ndindex(texts.shape):
            texts[place] = _labels_of(place[0], region=place[1], tested=bool(place[2]))
        found: npt.NDArray[Any] = texts[source, region, tested.astype(np.int64)]
        return found

    def _asked(self, rng: np.random.Generator, source: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        if not self._distinct:
            return self._pages[source * self._urls + (rng.random(len(source)) ** 2 * self._urls).astype(np.int64)]
        self._crawled += len(source)
        # One in twenty is asked a second time.
        numbers = self._crawled - np.arange(len(source)) - 50 * (rng.random(len(source)) < 0.05)
        pairs = zip(self._domains[source].tolist(), numbers.tolist(), strict=True)
        return np.array([f"https://{domain}/items/{number}?ref=crawl" for domain, number in pairs], dtype=object)


def _labels_of(source: int, *, region: int, tested: bool) -> str:
    """Return the labels of a row as the store writes them: few sources run in several regions, one is tested too."""
    labels = {"env": "test" if tested else "live", "team": f"t{source % _TEAMS}"}
    if source % _SOURCES_A_REGION == _SOURCES_A_REGION - 1:
        labels["region"] = _REGIONS[region]
    return labels_text(labels)


def _or_none(kept: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    found = values.astype(object)
    found[~kept] = None
    return found


def _error_text(kind: int, url: str, at_ms: int) -> str:
    return (
        "Timeout 30000 ms exceeded",
        "HTTP 503 Service Unavailable",
        f"blocked by captcha (ray {at_ms % 1_000_003:08x})",
        f"net::ERR_CONNECTION_RESET at {url}",
        f"no table found: {at_ms % 5} rows, wanted 1 ({url})",
        f"HTTP 429 Too Many Requests, retry after {at_ms % 600} s",
    )[kind]
