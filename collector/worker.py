"""The worker: a bounded queue that record calls append to, and the thread that delivers it in batches."""

import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

from collector import lifecycle
from collector.entries import Entry, to_metric
from collector.errors import InvalidMetric, SinkUnavailable
from collector.events import Metric
from collector.ledger import Ledger, Tally
from collector.options import Options
from collector.parcel import Parcel
from collector.sinks import Batch, Sink
from collector.warner import Warner

_LONGEST_RETRY_AFTER_S = 300.0  # a sink may ask for more: it isn't believed
_UNCONFIGURED_GRACE_S = 1.0  # from the first metric to the complaint that nobody called configure()
_UNCONFIGURED_CHECK_S = 60.0
_START_AGAIN_AFTER_S = 1.0  # when a thread can't be started
_AFTER_BUG_S = 1.0
_LONGEST_PAUSE_WHEN_AWAITED_S = 1.0  # between retries while somebody waits in flush()


class Phase:
    """What the thread is doing now, as far as record calls must know: from which queue length on it wants a call.

    A record call may raise the bound of the phase that it saw (the thread is told already); the thread never reuses
    one, so such a late change can't touch a later phase.
    """

    __slots__ = ("attend_above",)

    def __init__(self, attend_above: int) -> None:
        self.attend_above = attend_above


class Worker:
    """Queue, batches, retries.

    A record call appends to `queue`, and calls `attend` when the queue is longer than `phase.attend_above`. That one
    comparison stands for all that a record call may have to do: start the thread (also after a fork), wake it, or drop.
    The thread begins a phase and looks at the queue afterwards; a record call appends and looks at the phase
    afterwards: one of them sees the other, so no wake-up is lost, without a lock.

    No lock is held while a sink works, and what record calls, signal handlers and finalizers use (`attend`) never waits
    for one. A sink that stays away holds up one batch; the others wait in the queue until it is full. (A spool on disk
    belongs there: between `_shed` and `_deliver`.)
    """

    def __init__(self) -> None:
        self.queue: deque[Entry] = deque()
        self.phase = Phase(0)
        self.options = Options()
        self.closed = False
        self._begin()
        lifecycle.watch(self)

    def _begin(self) -> None:
        """Set up everything that belongs to one process alone."""
        self.ledger = Ledger(self.queue)
        self._bell = _make_bell()
        self._starting = threading.Lock()  # protects `_thread` from being set twice; only tried, never waited for
        self._thread: threading.Thread | None = None
        self._start_after_s = 0.0
        self._stopping = False
        self._give_up_at_s = float("inf")
        self._flushes: deque[tuple[int, threading.Lock]] = deque()  # (the ledger's ticket, released when it is settled)
        self._flush_calls = Tally()
        self._dropped_told = 0
        self._retired: deque[Sink] = deque()  # replaced sinks: only the thread may close them, it may be using them
        self._random = random.Random()  # its own, so that a scraper's seeded one stays reproducible
        self._warner = Warner()
        self._full_told = 0
        self._complained = False

    # -- called by record calls ---------------------------------------------------------------------------------------

    def attend(self, phase: Phase) -> None:
        """Do what the queue's length asks for: drop what is too much, start the thread, or wake it."""
        if self.closed or len(self.queue) > self.options.max_pending:
            self._shed()
        else:
            self._wake()
            if self._thread is not None:
                phase.attend_above = self.options.max_pending  # it is awake: nothing more to say in this phase

    def _shed(self) -> None:
        try:
            self.queue.pop()  # the newest: usually the caller's own
        except IndexError:  # the thread was faster
            return
        (self.ledger.late if self.closed else self.ledger.full).advance()

    def _wake(self) -> None:
        if self._thread is None:
            self._start_thread()
        if self._bell.locked():
            try:
                self._bell.release()
            except RuntimeError:  # another thread rang in between
                return

    def _start_thread(self) -> None:
        now_s = time.monotonic()
        if now_s < self._start_after_s or not self._starting.acquire(blocking=False):
            return
        try:
            if self._thread is None and not self.closed:
                self._bell = _make_bell()  # anew: gevent may have patched locks and threads since this object was made
                self._thread = threading.Thread(target=self._run, name="scrapeboard-collector", daemon=True)
                self._thread.start()
                lifecycle.on_thread_start()
        except RuntimeError as exc:  # no more threads, or the interpreter is ending: close() delivers then
            self._thread = None
            self._start_after_s = now_s + _START_AGAIN_AFTER_S
            self.ledger.last_error = f"the collector's thread can't start: {exc}"
        finally:
            self._starting.release()

    # -- called by the collector --------------------------------------------------------------------------------------

    def use(self, options: Options) -> None:
        """Replace the options; what is pending goes to the new sinks."""
        retired, self.options = self.options.owned, options
        self._retired.extend(retired)
        if self.queue or self._thread is not None:
            self._wake()
        else:
            self._close_retired()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was recorded before is delivered.

        Args:
            timeout_s: How long to wait at most, in seconds.

        Returns:
            True when all of it is delivered; False when the time is over, or when metrics were dropped since the flush
            before (not since this call: whether a drop came a moment before it is chance).
        """
        ticket, pending = self.ledger.ticket()
        if not pending:
            return self._nothing_dropped()
        if not self.options.sinks or self.closed or threading.current_thread() is self._thread:
            return False
        done = threading.Lock()
        done.acquire()
        waiting = (ticket, done)
        self._flushes.append(waiting)
        self._flush_calls.advance()
        self._wake()
        if self._thread is None:
            timeout_s = 0.0
        settled = done.acquire(timeout=min(max(0.0, timeout_s), threading.TIMEOUT_MAX))
        if settled:
            return self._nothing_dropped()
        with suppress(ValueError, IndexError):  # answered just now, or being answered: the thread forgets it by itself
            self._flushes.remove(waiting)
        return False

    def _nothing_dropped(self) -> bool:
        """Say whether nothing was dropped since this was asked last."""
        dropped = self.ledger.stats()["dropped"]
        before, self._dropped_told = self._dropped_told, dropped
        return dropped == before

    def close(self, timeout_s: float) -> int:
        """Flush, stop the thread, close the sinks that `configure` made; later record calls count as `closed`.

        Args:
            timeout_s: How long that may take, in seconds.

        Returns:
            How many metrics weren't delivered.
        """
        give_up_at_s = time.monotonic() + timeout_s
        _, pending = self.ledger.ticket()
        lost = self.ledger.lost()
        self.flush(timeout_s)
        if self._thread is None and self.options.sinks:
            self._give_up_at_s = give_up_at_s
            while self.queue and time.monotonic() < give_up_at_s:
                self._send_next()
        self.closed = True
        self._stopping = True
        thread = self._thread
        if thread is None:
            self._finish()
        elif thread is not threading.current_thread():
            self._wake()
            thread.join(max(0.0, give_up_at_s - time.monotonic()) + 0.1)  # a moment to close, even when time is over
        _, still_pending = self.ledger.ticket()
        return min(pending, self.ledger.lost() - lost + still_pending)

    def after_fork(self) -> None:
        """Begin anew in a child process: the thread wasn't copied, and what was pending stays the parent's."""
        self.queue.clear()
        self._begin()
        self.phase = Phase(0)
        for sink in self.options.sinks:
            forget = getattr(sink, "after_fork", None)
            if forget is not None:
                forget()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._step()
            self._finish()
        finally:
            if not self._stopping:  # a sink raised what is no Exception: the next record call starts another thread
                self._thread = None
                self.phase = Phase(0)

    def _step(self) -> None:
        try:
            self._close_retired()
            if self._wait_until_due():
                self._send_next()
                self._answer_flushes()
                self._tell_of_full()
        except Exception as exc:  # noqa: BLE001 - the thread must outlive any bug; it is told and counted
            self.ledger.last_error = f"{type(exc).__name__}: {exc}"
            self._warner.warn("bug", "the collector's thread had an error: %s", self.ledger.last_error)
            self._bell.acquire(timeout=_AFTER_BUG_S)

    def _wait_until_due(self) -> bool:
        """Wait for something to do; True when a batch has to leave."""
        options, queue = self.options, self.queue
        self.phase = Phase(0)
        if not queue:
            self._answer_flushes()
            self._bell.acquire()
            return False
        if not options.sinks:
            self._wait_for_configure()
            return False
        waited_s = min(
            max(0.0, time.time() - queue[0][1]), options.flush_interval_s
        )  # the clock may have been set back
        due_at_s = time.monotonic() + options.flush_interval_s - waited_s
        while (left_s := due_at_s - time.monotonic()) > 0:
            self.phase = Phase(options.batch_size - 1)
            if len(queue) >= options.batch_size or self._flushes or options is not self.options or self._stopping:
                break
            self._bell.acquire(timeout=left_s)
        self.phase = Phase(options.max_pending)
        return not self._stopping

    def _wait_for_configure(self) -> None:
        self.phase = Phase(self.options.max_pending)
        if not self._complained:
            self._bell.acquire(timeout=_UNCONFIGURED_GRACE_S)
            if not self.options.sinks and not self._stopping:
                self._complained = True
                self._warner.warn(
                    "unconfigured", "metrics wait: call collector.configure(url=...) to say where they go"
                )
            return
        self._bell.acquire(timeout=_UNCONFIGURED_CHECK_S)
        self._tell_of_full()

    def _send_next(self) -> None:
        metrics: list[Metric] = []
        try:
            for entry in self.ledger.take(self.options.batch_size):
                try:
                    metrics.append(to_metric(entry))
                except InvalidMetric as exc:
                    self.ledger.last_error = f"invalid: {exc}"
                    self._warner.warn(f"invalid {exc.field}", "a metric is dropped: %s", exc)
                    self.ledger.drop("invalid")
            if metrics:
                self._deliver(Batch(uuid.uuid4().hex, tuple(metrics)))
        finally:
            self.ledger.abandon("closed" if self._is_giving_up() else "internal_error")  # usually nothing is left

    def _deliver(self, batch: Batch) -> None:
        """Offer a batch until every sink has it, or the end comes."""
        options = self.options
        parcel = Parcel(batch, options.sinks, self._warner)
        while True:
            if options is not self.options:
                options = self.options
                parcel.redirect(options.sinks)
            flush_calls = self._flush_calls.value()
            trouble: SinkUnavailable | None = SinkUnavailable("no sink is configured any more")
            if options.sinks:
                trouble, error = parcel.offer()
                self.ledger.last_error = error or self.ledger.last_error
            if trouble is None:
                break
            self._warner.warn("away", "metrics wait (at most %d): %s", options.max_pending, trouble)
            self._pause(trouble.retry_after_s, parcel.attempts, flush_calls)
            if self._is_giving_up():
                return
            self.ledger.retry()
        kept = len(batch.metrics) - len(parcel.lost)
        self.ledger.deliver(kept, parcel.lost.values(), now_ms=time.time_ns() // 1_000_000)

    def _pause(self, retry_after_s: float | None, attempts: int, flush_calls: int) -> None:
        """Wait before the next attempt: exponential backoff with full jitter, at least what the sink asked for.

        Other options and the end cut it short; so does a flush, but not what the sink asked for.
        See Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
        """
        options = self.options
        longest_s = min(options.retry_cap_s, options.retry_base_s * 2 ** min(attempts - 1, 40))
        if self._flushes:
            longest_s = min(longest_s, _LONGEST_PAUSE_WHEN_AWAITED_S)
        pause_s = max(self._random.uniform(0, longest_s), min(retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S))
        until_s = min(time.monotonic() + pause_s, self._give_up_at_s)
        while (left_s := until_s - time.monotonic()) > 0:
            if self._stopping or options is not self.options:
                return
            if retry_after_s is None and self._flush_calls.value() != flush_calls:
                return
            self._tell_of_full()
            self._bell.acquire(timeout=left_s)

    def _is_giving_up(self) -> bool:
        return self._stopping or time.monotonic() >= self._give_up_at_s

    def _answer_flushes(self) -> None:
        for _ in range(len(self._flushes)):
            try:
                ticket, done = self._flushes.popleft()
            except IndexError:  # that one ran out of time
                return
            if self.ledger.is_settled(ticket):
                done.release()
            else:
                self._flushes.append((ticket, done))

    def _tell_of_full(self) -> None:
        full = self.ledger.full.value()
        if full != self._full_told:
            self._full_told = full
            self._warner.warn("full", "the queue is full, %d metrics are dropped so far", full)

    def _close_retired(self) -> None:
        while self._retired:
            _close_all([self._retired.popleft()])

    def _finish(self) -> None:
        """Count what stays behind and close our own sinks."""
        self.phase = Phase(0)
        while self.ledger.take(self.options.batch_size):
            self.ledger.abandon("closed")
        self._close_retired()
        _close_all(self.options.owned)
        self._answer_flushes()


def _make_bell() -> threading.Lock:
    """Make a bell of a lock: released = rung. Ringing twice is ringing once; signal handlers may ring."""
    bell = threading.Lock()
    bell.acquire()
    return bell


def _close_all(sinks: Iterable[Sink]) -> None:
    for sink in sinks:
        close = getattr(sink, "close", None)
        if close is not None:
            close()
