"""The record calls: what a scraper calls for each page, extraction and job."""

import datetime
from collections.abc import Collection, Iterable, Mapping
from time import time
from typing import Any

from collector.classifying import Classifying
from collector.entries import (
    MAX_QUEUED_URL_CHARS,
    NAVIGATION,
    SCHEDULER,
    SCRAPE,
    Entry,
    count_in,
    make_safe,
    to_event,
)
from collector.fields import MAX_ERROR_CHARS
from collector.outcomes import Evidence, Verdict
from collector.runs import Run, Runs
from collector.worker import Worker

Moment = datetime.datetime | int | float


class Recorder:
    """Appends metrics to a worker's queue.

    Args:
        worker: Who takes them from there.
    """

    __slots__ = ("_classifying", "_queue", "_runs", "_strict", "_worker")

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._queue = worker.queue
        self._runs = Runs(worker)
        self._classifying = Classifying()
        self._strict = False

    # These three are as flat as they are, and repeat themselves, because they are the hot path
    # (bench/collector_call.py): a helper in common would cost a third more. What can wait is done by the worker.

    def record_page_navigation(
        self,
        scraper_source: str,
        *,
        url: str,
        navigation_duration_ms: float,
        success: bool = True,
        retry_count: int = 0,
        error: str | BaseException | None = None,
        status_code: int | None = None,
        recorded_at: Moment | None = None,
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Record one attempt-with-retries to load a page.

        Args:
            scraper_source: Name of the scraper, 1-50 characters.
            url: The page; credentials and secret-looking query values are removed, the rest is cut to 2048 characters.
            navigation_duration_ms: All attempts together, in milliseconds, 0 to seven days.
            success: Whether the page was loaded in the end.
            retry_count: Attempts after the first.
            error: Why it failed: a text (cut to 4000 characters) or the exception.
            status_code: HTTP status of the last answer, 100-599.
            recorded_at: When; a datetime (a naive one is UTC) or epoch milliseconds; None = now.
            run_id: The run that it belongs to, at most 64 characters; None = that around the call (`run`), if any.
            labels: At most 16 pairs of strings (50 and 200 characters); copied.

        Raises:
            InvalidMetric: Only with `configure(strict=True)`; otherwise such a metric is counted as dropped, `invalid`.
        """
        if run_id is None and self._runs.is_used:
            run_id = self._runs.current_id()
        entry = (
            NAVIGATION,
            time(),
            scraper_source,
            url,
            navigation_duration_ms,
            success,
            retry_count,
            error,
            status_code,
            recorded_at,
            run_id,
            labels,
        )
        try:
            plain = (
                (error is None or (type(error) is str and len(error) <= MAX_ERROR_CHARS))
                and labels is None
                and len(url) <= MAX_QUEUED_URL_CHARS
                and not self._strict
            )
        except Exception:  # noqa: BLE001 - a url of a wrong type, whose __len__ may raise anything
            plain = False
        queue = self._queue
        queue.append(entry if plain else self._prepare(entry))
        phase = self._worker.phase
        if len(queue) > phase.attend_above:
            self._worker.attend(phase)

    def record_page_scrape(
        self,
        scraper_source: str,
        *,
        url: str,
        scrape_duration_ms: float,
        items_extracted: int = 0,
        success: bool = True,
        error: str | BaseException | None = None,
        data_size: int | None = None,
        outcome: str | None = None,
        recorded_at: Moment | None = None,
        run_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        fields: Mapping[str, int] | Iterable[str] | None = None,
        items: Collection[object] | None = None,
    ) -> None:
        """Record one extraction from a loaded page.

        Args:
            scraper_source: Name of the scraper, 1-50 characters.
            url: The page; as in `record_page_navigation`.
            scrape_duration_ms: In milliseconds, 0 to seven days.
            items_extracted: How many items came out.
            success: Whether the extraction worked.
            error: Why it failed: a text (cut to 4000 characters) or the exception.
            data_size: Size of what was read or extracted, in bytes.
            outcome: `ok`, `empty`, `blocked`, `parse_error`, `network`, or a word of yours, at most 20 characters.
            recorded_at: When; a datetime (a naive one is UTC) or epoch milliseconds; None = now.
            run_id: The run that it belongs to, at most 64 characters; None = that around the call (`run`), if any.
            labels: At most 16 pairs of strings (50 and 200 characters); copied.
            fields: By field of the items, how many of them have a usable value (`{"price": 5}`): 0 to
                `items_extracted`, at most 50 names of 1-64 characters. With `items`, the names that are to be counted
                also where no item has them (`["price", "title"]`), or counts that overrule the counting.
            items: The items themselves, instead of `items_extracted`: a list (never an iterator: nothing is consumed)
                of dicts or dataclasses. They are counted here and now, up to 10,000 also by field, and not kept.

        Raises:
            InvalidMetric: Only with `configure(strict=True)`; otherwise such a metric is counted as dropped, `invalid`.
        """
        if items is not None:
            items_extracted, fields = count_in(items, fields)  # type: ignore[assignment] # for the check to refuse
        if run_id is None and self._runs.is_used:
            run_id = self._runs.current_id()
        entry = (
            SCRAPE,
            time(),
            scraper_source,
            url,
            scrape_duration_ms,
            items_extracted,
            success,
            error,
            data_size,
            outcome,
            recorded_at,
            run_id,
            labels,
            fields,
        )
        try:
            plain = (
                (error is None or (type(error) is str and len(error) <= MAX_ERROR_CHARS))
                and labels is None
                and fields is None
                and len(url) <= MAX_QUEUED_URL_CHARS
                and not self._strict
            )
        except Exception:  # noqa: BLE001 - a url of a wrong type, whose __len__ may raise anything
            plain = False
        queue = self._queue
        queue.append(entry if plain else self._prepare(entry))
        phase = self._worker.phase
        if len(queue) > phase.attend_above:
            self._worker.attend(phase)

    def record_scheduler_metric(
        self,
        scheduler_name: str,
        *,
        execution_duration_ms: float,
        success: bool = True,
        items_processed: int = 0,
        error: str | BaseException | None = None,
        scraper_source: str | None = None,
        recorded_at: Moment | None = None,
        run_id: str | None = None,
    ) -> None:
        """Record one execution of a named scheduler job.

        Args:
            scheduler_name: Name of the job, 1-50 characters.
            execution_duration_ms: In milliseconds, 0 to seven days.
            success: Whether the job ended without an error.
            items_processed: How many items it handled.
            error: Why it failed: a text (cut to 4000 characters) or the exception.
            scraper_source: The scraper that it drove, if it drove one, 1-50 characters.
            recorded_at: When; a datetime (a naive one is UTC) or epoch milliseconds; None = now.
            run_id: The run that it belongs to, at most 64 characters; None = that around the call (`run`), if any.

        Raises:
            InvalidMetric: Only with `configure(strict=True)`; otherwise such a metric is counted as dropped, `invalid`.
        """
        if run_id is None and self._runs.is_used:
            run_id = self._runs.current_id()
        entry = (
            SCHEDULER,
            time(),
            scheduler_name,
            execution_duration_ms,
            success,
            items_processed,
            error,
            scraper_source,
            recorded_at,
            run_id,
        )
        queue = self._queue
        queue.append(entry if error is None and not self._strict else self._prepare(entry))
        phase = self._worker.phase
        if len(queue) > phase.attend_above:
            self._worker.attend(phase)

    def run(
        self,
        name: str,
        *,
        expected_items: int | None = None,
        scraper_source: str | None = None,
        heartbeat_interval_s: float = 30.0,
        run_id: str | None = None,
    ) -> Run:
        """Group what is recorded inside of `with run("nightly"):`, and tell that it lives and how it ends.

        Args:
            name: What runs, 1-50 characters.
            expected_items: How many items it should give, if that is known.
            scraper_source: The scraper that it is a run of, if it is of one.
            heartbeat_interval_s: How often it says that it lives, 1 to 3600 seconds; the app closes it as lost after
                three without a word, a minute at least.
            run_id: Which run it is, 1-64 characters; None = a new one. One that is used again is the same run to the
                board: its metrics add up, and the first end stands until the next one is told.

        Returns:
            A run: `with`, `async with`, or a decorator; `set_items`, `add_items`, `fail` are for the inside.

        Raises:
            ConfigurationError: The heartbeat's interval can't work.
        """
        return self._runs.make(name, expected_items, scraper_source, heartbeat_interval_s, run_id)

    def judge(self, evidence: Evidence) -> Verdict:
        """Say what a page was worth, as `classify`."""
        return self._classifying.judge(evidence)

    def classify(self, scraper_source: str, **known: Any) -> Verdict:
        """Say what a page was worth: its `outcome`, and the `reason` where the outcome doesn't say it all.

        Args:
            scraper_source: Name of the scraper.
            **known: What is known of the page, as in `collector.outcomes.Evidence`: `url`, `status_code`, `headers`,
                `body` (its beginning will do), `data_size`, `items_extracted`, `exception`.

        Returns:
            By the user's classifier, if there is one, else by ours, which remembers how such pages usually are.
        """
        return self._classifying.classify(scraper_source, **known)

    def _prepare(self, entry: Entry) -> Entry:
        entry = make_safe(entry)
        if self._strict:
            to_event(entry)
        return entry
