"""Tracks: measure a stretch of a scraper's work and record it, as context managers and as decorators."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from collector.counting import Count, CountedAsyncIterator, CountedIterator
from collector.coverage import count_fields
from collector.entries import describe_exception
from collector.evidence import ask_browser, see
from collector.measures import count_items, count_processed, status_of
from collector.outcomes import BLOCKED, Evidence

if TYPE_CHECKING:
    from collector.recorder import Recorder

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Self = TypeVar("Self", bound="Track")


class Track:
    """A stretch of work: `with track:`, `async with track:`, or `@track` on a function or coroutine function.

    What is raised inside is recorded as a failure and raised on. As a decorator it measures each call apart, so that
    calls may overlap; as a context manager one object measures one stretch at a time.

    Attributes:
        success: Set it to overrule: None means that no exception and no HTTP status from 400 on is success.
        error: Set it to say why it failed; otherwise the exception says so.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._began_s: float | None = None
        self.success: bool | None = None
        self.error: str | None = None

    def begin(self) -> None:
        """Start the clock."""
        self._began_s = time.perf_counter()

    def finish(self, exc: BaseException | None = None) -> None:
        """Stop the clock and record; nothing happens when it isn't running."""
        if self._began_s is None:
            return
        duration_ms = round((time.perf_counter() - self._began_s) * 1000, 3)
        self._began_s = None
        self._record(duration_ms, exc)

    def observe(self, result: T) -> T:
        """Learn from the result of the work what wasn't set by hand; gives what the scraper gets of it."""
        return result

    async def wait_for(self, result: Awaitable[T]) -> T:
        """Await a result of work that has begun, and record it."""
        async with self:
            return self.observe(await result)

    def __enter__(self: Self) -> Self:
        self.begin()
        return self

    def __exit__(self, _type: type[BaseException] | None, exc: BaseException | None, _at: TracebackType | None) -> None:
        self.finish(exc)

    async def __aenter__(self: Self) -> Self:
        self.begin()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, exc: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.finish(exc)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function.

        Raises:
            TypeError: It is a generator: its work is done while others iterate. Use `with` inside of it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", "it")
            raise TypeError(f"{name} is a generator: measure with a `with` block inside of it instead")
        prepare = self._for_calls_of(function)

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measured_async(*args: Any, **kwargs: Any) -> Any:
                return await prepare(args, kwargs).wait_for(function(*args, **kwargs))

            return measured_async  # type: ignore[return-value] # R is that coroutine

        @functools.wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with prepare(args, kwargs) as track:
                return track.observe(function(*args, **kwargs))

        return measured

    def _for_calls_of(self, function: Callable[..., object]) -> Callable[[tuple[Any, ...], dict[str, Any]], Track]:
        """Give what makes the track of one call."""
        raise NotImplementedError

    def _record(self, duration_ms: float, exc: BaseException | None) -> None:
        raise NotImplementedError

    def _outcome_of(self, exc: BaseException | None) -> tuple[bool, str | None]:
        """Say (success, error)."""
        error = self.error
        if error is None and exc is not None:
            error = describe_exception(exc)
        return (exc is None if self.success is None else self.success), error


class _PageTrack(Track):
    def __init__(
        self,
        recorder: Recorder,
        scraper_source: str,
        url: str | None,
        run_id: str | None,
        labels: Mapping[str, str] | None,
    ) -> None:
        super().__init__(recorder)
        self.scraper_source = scraper_source
        self.url = url
        self.run_id = run_id
        self.labels = labels

    def _for_calls_of(self, function: Callable[..., object]) -> Callable[[tuple[Any, ...], dict[str, Any]], Track]:
        place = _place_of_url(function) if self.url is None else None

        def prepare(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Track:
            url = self.url
            if place is not None:
                url = kwargs.get("url", args[place] if place < len(args) else None)
            return type(self)(self._recorder, self.scraper_source, url, self.run_id, self.labels)

        return prepare


class NavigationTrack(_PageTrack):
    """Measures a page navigation.

    Attributes:
        url: The page; with a decorator, None means the call's `url` argument.
        retry_count: Attempts after the first.
        status_code: HTTP status of the last answer; a decorator reads it from the function's result.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.retry_count = 0
        self.status_code: int | None = None

        self.response: object = None

    def observe(self, result: T) -> T:
        """Take the HTTP status of a response, and what it says where that is in memory already."""
        if self.status_code is None:
            self.status_code = status_of(result)
        self.response = result
        return result

    def _record(self, duration_ms: float, exc: BaseException | None) -> None:
        success, error = self._outcome_of(exc)
        if self.success is None and exc is None:
            seen = see(self.response)
            self.response = None
            verdict = self._recorder.judge(
                Evidence(self.scraper_source, self.url, self.status_code, seen.headers, seen.body, seen.data_size)
            )
            if verdict.outcome == BLOCKED:
                success, error = False, error or f"blocked: {verdict.reason or 'by the site'}"
            elif self.status_code is not None and self.status_code >= 400:
                success, error = False, error or f"HTTP {self.status_code}"
        self._recorder.record_page_navigation(
            self.scraper_source,
            url=self.url,  # type: ignore[arg-type] # None is refused and counted there
            navigation_duration_ms=duration_ms,
            success=success,
            retry_count=self.retry_count,
            error=error,
            status_code=self.status_code,
            run_id=self.run_id,
            labels=self.labels,
        )


class ScrapeTrack(_PageTrack):
    """Measures a page scrape.

    Attributes:
        url: The page; with a decorator, None means the call's `url` argument.
        items_extracted: How many items came out; None = count the decorated function's result (`count_items`), else 0.
            An iterator is counted while it is consumed, and recorded at its end.
        fields: By field, how many items have a usable value; None = counted where the items have fields.
        data_size: In bytes.
        status_code: HTTP status of the page, if it is known.
        page: The page, its response, text or bytes: looked at when nothing came out of it.
        outcome: None = by the classifier (`collector.classify`), where anything is known.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.items_extracted: int | None = None
        self.fields: Mapping[str, int] | None = None
        self.data_size: int | None = None
        self.status_code: int | None = None
        self.page: object = None
        self.outcome: str | None = None
        self._content: str | None = None  # of a browser's page, where something is wrong

    def observe(self, result: T) -> T:
        """Count the items; an iterator is wrapped, and recorded when it ends."""
        if self.items_extracted is not None:
            return result
        if isinstance(result, Iterator):
            return CountedIterator(result, self._later())  # type: ignore[return-value] # T is an iterator
        if hasattr(result, "__anext__"):
            return CountedAsyncIterator(result, self._later())  # type: ignore[return-value] # T is one for `async for`
        self.items_extracted = count_items(result)
        if self.fields is None and isinstance(result, list | tuple | set | frozenset):
            self.fields = _fields_in(result)
        return result

    async def wait_for(self, result: Awaitable[T]) -> T:
        """Await a result of work that has begun, and record it; an async browser is asked where something is wrong."""
        if self._began_s is None:
            self.begin()
        try:
            value = self.observe(await result)
        except BaseException as exc:
            if isinstance(exc, Exception):
                await self._ask()
            self.finish(exc)
            raise
        if not self.items_extracted and self._began_s is not None:
            await self._ask()
        self.finish()
        return value

    async def _ask(self) -> None:
        content = ask_browser(self.page)
        if isawaitable(content):
            try:
                content = await content
            except Exception:  # noqa: BLE001 - a browser that is gone raises whatever it likes
                content = None
        self._content = content if isinstance(content, str) else ""

    def _later(self) -> Count:
        """Let the end of an iterator record the scrape, with the time that was spent inside of it."""
        began_s, self._began_s = self._began_s, None
        before_s = 0.0 if began_s is None else time.perf_counter() - began_s

        def end(count: Count, exc: BaseException | None) -> None:
            self.items_extracted = count.items
            self.fields = count.fields.result() if self.fields is None else self.fields
            self._record(round((before_s + count.spent_s) * 1000, 3), exc)

        return Count(end)

    def _record(self, duration_ms: float, exc: BaseException | None) -> None:
        success, error = self._outcome_of(exc)
        outcome = self.outcome
        is_known = self.items_extracted is not None or self.status_code is not None or self.page is not None
        if outcome is None and self.success is not False and (is_known if exc is None else isinstance(exc, Exception)):
            verdict = self._recorder.judge(self._evidence(exc))
            outcome = verdict.outcome
            if not verdict.is_success and self.success is None:
                success = False
                error = verdict.reason if error is None else f"{verdict.reason}; {error}" if verdict.reason else error
        self.page = None
        self._recorder.record_page_scrape(
            self.scraper_source,
            url=self.url,  # type: ignore[arg-type] # None is refused and counted there
            scrape_duration_ms=duration_ms,
            items_extracted=self.items_extracted or 0,
            success=success,
            error=error,
            data_size=self.data_size,
            outcome=outcome,
            run_id=self.run_id,
            labels=self.labels,
            fields=self.fields,
        )

    def _evidence(self, exc: BaseException | None) -> Evidence:
        seen = see(self.page)
        body: str | bytes | None = seen.body
        if body is None and not self.items_extracted:
            content = ask_browser(self.page) if self._content is None else self._content
            body = content if isinstance(content, str) and content else None
        return Evidence(
            self.scraper_source,
            self.url,
            self.status_code if self.status_code is not None else seen.status_code,
            seen.headers,
            body,
            self.data_size if self.data_size is not None else seen.data_size,
            self.items_extracted if exc is None or self.items_extracted else None,
            exc,
        )


class RunTrack(Track):
    """Measures a scheduler run.

    Attributes:
        items_processed: How many items it handled; None = the length of the decorated function's result, else 0.
    """

    def __init__(self, recorder: Recorder, scheduler_name: str, scraper_source: str | None, run_id: str | None) -> None:
        super().__init__(recorder)
        self.scheduler_name = scheduler_name
        self.scraper_source = scraper_source
        self.run_id = run_id
        self.items_processed: int | None = None

    def observe(self, result: T) -> T:
        """Count the items."""
        if self.items_processed is None:
            self.items_processed = count_processed(result)
        return result

    def _for_calls_of(
        self,
        function: Callable[..., object],  # noqa: ARG002 - the same for every function
    ) -> Callable[[tuple[Any, ...], dict[str, Any]], Track]:
        return lambda _args, _kwargs: RunTrack(self._recorder, self.scheduler_name, self.scraper_source, self.run_id)

    def _record(self, duration_ms: float, exc: BaseException | None) -> None:
        if isinstance(exc, SystemExit) and not exc.code:
            exc = None  # a job that ends with sys.exit(0) ended well
        success, error = self._outcome_of(exc)
        self._recorder.record_scheduler_metric(
            self.scheduler_name,
            execution_duration_ms=duration_ms,
            success=success,
            items_processed=self.items_processed or 0,
            error=error,
            scraper_source=self.scraper_source,
            run_id=self.run_id,
        )


def _fields_in(items: Collection[object]) -> dict[str, int] | None:
    try:
        return count_fields(items)
    except Exception:  # noqa: BLE001 - somebody's items may raise anything when they are looked at
        return None


def _place_of_url(function: Callable[..., object]) -> int:
    names = list(inspect.signature(function).parameters)
    if "url" not in names:
        name = getattr(function, "__qualname__", "the function")
        raise TypeError(f"{name} has no parameter called url: say url=... to the decorator")
    return names.index("url")
