"""Runs: `with collector.run("nightly"):` groups what is recorded inside, says that it lives, and how it ended."""

import functools
import inspect
import os
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from collector.entries import RUN, describe_exception
from collector.errors import ConfigurationError
from collector.fields import MAX_RUN_ID_CHARS
from collector.run_events import FAILED, KILLED, MAX_HEARTBEAT_MS, MIN_HEARTBEAT_MS, OK, RUNNING
from collector.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")

RUN_ID_VARIABLE = "SCRAPEBOARD_RUN_ID"  # in the environment of a command that `python -m collector run` starts
_NO_RUN_S = 3600.0
_MOST_COUNTING = 10_000

# The innermost run around what is being executed: a thread begins without one, a task with that of its maker.
_current: ContextVar[str | None] = ContextVar("scrapeboard_run", default=None)


class Run:
    """A run: `with` or `async with`, or a decorator of a function or coroutine function (each call is a run then).

    What is raised inside ends it as `failed`, KeyboardInterrupt and SIGTERM as `killed`, and is raised on. Metrics
    recorded inside, in the same thread or task and without a `run_id` of their own, belong to it; other threads say
    `run_id=run.run_id`. A run whose process dies is closed by the app, as its heartbeats stop.

    Attributes:
        run_id: Which run it is, 1-64 characters.
    """

    def __init__(
        self,
        runs: "Runs",
        name: str,
        expected_items: int | None,
        scraper_source: str | None,
        heartbeat_interval_s: float,
        run_id: str | None,
    ) -> None:
        self._runs = runs
        self.name = name
        self.expected_items = expected_items
        self.scraper_source = scraper_source
        self.heartbeat_interval_s = heartbeat_interval_s
        self._given_id = run_id
        self.run_id = run_id or uuid.uuid4().hex
        self.counted = 0  # items of the scrapes recorded with its id; the collector's thread counts
        self.beat_at_s = 0.0
        self._items: int | None = None
        self._error: str | None = None
        self._failed = False
        self._began_s: float | None = None
        self._token: Token[str | None] | None = None

    def set_items(self, items: int) -> None:
        """Say how many items there are until now; otherwise those of the recorded scrapes are added up."""
        self._items = items

    def add_items(self, items: int = 1) -> None:
        """Add to the number of items; from the first time on, nothing else is counted."""
        self._items = (self._items or 0) + items

    def fail(self, error: str) -> None:
        """Let it end as failed although nothing was raised."""
        self._failed, self._error = True, error

    def items(self) -> int:
        """Say how many items there are until now."""
        return self.counted if self._items is None else self._items

    def _last_items(self) -> int:
        self._runs.forget(self)
        return self.items()

    def begin(self) -> "Run":
        """Begin it without a block; `end` must be called."""
        if self._began_s is None:
            self._began_s = time.time()
            self._runs.open(self)
            self.tell(RUNNING)
        return self

    def end(self, state: str = OK, error: str | None = None) -> None:
        """End it; nothing happens when it has ended.

        Args:
            state: `ok`, `failed` or `killed`.
            error: Why.
        """
        if self._began_s is None or not self._runs.shut(self):
            return
        if self._failed and state == OK:
            state = FAILED
        self.tell(state, error or self._error)
        self._began_s = None

    def tell(self, state: str, error: str | None = None) -> None:
        """Record its state.

        The number of items is read when the thread comes to it: by then it has seen all that was recorded before.
        """
        self._runs.record(
            (
                RUN,
                time.time(),
                self.name,
                self.run_id,
                self.scraper_source,
                state,
                self._began_s or time.time(),
                self.items if state == RUNNING else self._last_items,
                self.expected_items,
                self.heartbeat_interval_s,
                error,
            )
        )

    def __enter__(self) -> "Run":
        self.begin()
        self._token = _current.set(self.run_id)
        return self

    def __exit__(self, _type: type[BaseException] | None, exc: BaseException | None, _at: TracebackType | None) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                _current.reset(token)
            except ValueError:  # left in another task or thread than entered: that one's context isn't ours to change
                _current.set(None)
        self.end(*_end_of(exc))

    async def __aenter__(self) -> "Run":
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, at)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or coroutine function: each call is a run of its own.

        Raises:
            TypeError: It is a generator: its work is done while others iterate. Use `with` inside of it.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", "it")
            raise TypeError(f"{name} is a generator: use a `with` block inside of it instead")

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return run_async  # type: ignore[return-value] # R is that coroutine

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return run

    def _again(self) -> "Run":
        return Run(
            self._runs,
            self.name,
            self.expected_items,
            self.scraper_source,
            self.heartbeat_interval_s,
            self._given_id,
        )


class Runs:
    """The runs of one collector that haven't ended.

    Args:
        worker: Whose thread sends their heartbeats.
    """

    __slots__ = ("_counting", "_inherited", "_open", "_worker", "is_used")

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        # Only single operations, each atomic, from any thread.
        self._open: dict[int, Run] = {}  # by identity: two may have one id
        self._counting: dict[str, Run] = {}  # and those whose end is still in the queue; the thread counts
        inherited = os.environ.get(RUN_ID_VARIABLE, "").strip()
        self._inherited = inherited if 0 < len(inherited) <= MAX_RUN_ID_CHARS else None
        self.is_used = self._inherited is not None
        worker.runs = self

    def make(
        self,
        name: str,
        expected_items: int | None,
        scraper_source: str | None,
        heartbeat_interval_s: float,
        run_id: str | None,
    ) -> Run:
        """Make a run that begins when it is entered.

        Raises:
            ConfigurationError: The heartbeat's interval can't work.
        """
        interval_s = heartbeat_interval_s
        if isinstance(interval_s, bool) or not isinstance(interval_s, int | float):
            raise ConfigurationError(f"heartbeat_interval_s must be a number of seconds, got {interval_s!r}")
        if not MIN_HEARTBEAT_MS <= interval_s * 1000 <= MAX_HEARTBEAT_MS:
            raise ConfigurationError(f"heartbeat_interval_s must be 1 to 3600 seconds, got {interval_s!r}")
        return Run(self, name, expected_items, scraper_source, interval_s, run_id)

    def current_id(self) -> str | None:
        """Say in which run the caller is."""
        return _current.get() or self._inherited

    def open(self, run: Run) -> None:
        """Let it have heartbeats from now on."""
        run.beat_at_s = time.monotonic() + run.heartbeat_interval_s
        self.is_used = True
        self._open[id(run)] = self._counting[run.run_id] = run
        if len(self._counting) > _MOST_COUNTING:  # their ends were dropped: the queue was full
            self._counting.pop(next(iter(self._counting)), None)
        self._worker.tick_soon()

    def shut(self, run: Run) -> bool:
        """Stop its heartbeats; False when that was done before."""
        return self._open.pop(id(run), None) is not None

    def record(self, entry: tuple[object, ...]) -> None:
        """Put what is told about a run into the queue."""
        worker = self._worker
        worker.queue.append(entry)
        phase = worker.phase
        if len(worker.queue) > phase.attend_above:
            worker.attend(phase)

    def count(self, run_id: str | None, items: int) -> None:
        """Add the items of a scrape to its run; called by the collector's thread."""
        run = self._counting.get(run_id or "")
        if run is not None:
            run.counted += items

    def forget(self, run: Run) -> None:
        """Count no more for it: its end is on its way."""
        if self._counting.get(run.run_id) is run:
            del self._counting[run.run_id]

    def tick(self, now_s: float) -> float:
        """Send the heartbeats that are due; after how many seconds the next one is."""
        next_s = _NO_RUN_S
        for run in tuple(self._open.values()):
            if now_s >= run.beat_at_s:
                run.beat_at_s = now_s + run.heartbeat_interval_s
                run.tell(RUNNING)
            next_s = min(next_s, run.beat_at_s - now_s)
        return next_s

    def kill_all(self, why: str) -> None:
        """End all of them as killed: the process ends."""
        for run in tuple(self._open.values()):
            run.end(KILLED, why)

    def after_fork(self) -> None:
        """Leave the parent's runs to the parent; what the child records still belongs to them."""
        self._open.clear()
        self._counting.clear()


def _end_of(exc: BaseException | None) -> tuple[str, str | None]:
    if exc is None or (isinstance(exc, SystemExit) and not exc.code):
        return OK, None
    if isinstance(exc, KeyboardInterrupt):
        return KILLED, "KeyboardInterrupt"
    return FAILED, describe_exception(exc)
