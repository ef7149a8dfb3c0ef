"""The worker: a bounded queue that record calls append to, and the thread that makes batches of it for the couriers."""

import threading
import time
from collections import deque
from contextlib import suppress

from collector import lifecycle
from collector.batching import LONG_QUEUE, batch_length, make_batch
from collector.bells import Phase, make_bell
from collector.entries import Entry
from collector.ledger import Ledger, MetricsStats, Tally
from collector.offices import RunsOfWorker
from collector.options import Options
from collector.parcel import Parcel
from collector.roster import Roster
from collector.sinks import Batch
from collector.warner import Warner

_UNCONFIGURED_GRACE_S = 1.0  # from the first metric to the complaint that nobody called configure()
_UNCONFIGURED_CHECK_S = 60.0
_START_AGAIN_AFTER_S = 1.0  # when a thread can't be started
_AFTER_BUG_S = 1.0
_LOOK_AROUND_S = 5.0  # while there is no room
_BATCH_WHEN_AWAY_S = 0.5  # batches for the disk needn't be quick: fewer are better
_NO_RUN_S = 3600.0
_SAVING_S = 5.0  # what the disk may take at the end beside the time for delivery


class Worker:
    """Queue and batches; the couriers deliver, each to one sink.

    A record call appends to `queue`, and calls `attend` when the queue is longer than `phase.attend_above`. That one
    comparison stands for all that a record call may have to do: start the thread (also after a fork), wake it, or drop.
    The thread begins a phase and looks at the queue afterwards; a record call appends and looks at the phase
    afterwards: one of them sees the other, so no wake-up is lost, without a lock.

    No lock is held while a sink works, and what record calls, signal handlers and finalizers use (`attend`) never waits
    for one. A batch leaves the queue when a courier has room for it, or when the queue is half full and a courier has
    a disk.
    """

    def __init__(self) -> None:
        self.queue: deque[Entry] = deque()
        self.phase = Phase(0)
        self.options = Options()
        self.closed = False
        self.runs: RunsOfWorker | None = None
        self._begin()
        lifecycle.watch(self)

    def _begin(self) -> None:
        """Set up everything that belongs to one process alone."""
        self.ledger = Ledger(self.queue)
        self.warner = Warner()
        self.flush_calls = Tally()
        self.roster = Roster(self)
        self._bell = make_bell()
        self._starting = threading.Lock()  # protects `_thread` from being set twice; only tried, never waited for
        self._thread: threading.Thread | None = None
        self._start_after_s = 0.0
        self._tick_at_s = 0.0
        self._stopping = False
        self._give_up_at_s = float("inf")
        self._flushes: deque[tuple[int | None, threading.Lock]] = (
            deque()
        )  # (the ledger's ticket, released when settled)
        self._dropped_told = 0
        self._full_told = 0
        self._complained = False

    # -- called by record calls ---------------------------------------------------------------------------------------

    def attend(self, phase: Phase) -> None:
        """Do what the queue's length asks for: drop what is too much, start the thread, or wake it."""
        if self.closed or len(self.queue) > self.options.max_pending:
            self._shed()
        else:
            self.tell()
            if self._thread is not None:
                phase.attend_above = self.options.max_pending  # it is awake: nothing more to say in this phase

    def _shed(self) -> None:
        try:
            self.queue.pop()  # the newest: usually the caller's own
        except IndexError:  # the thread was faster
            return
        (self.ledger.late if self.closed else self.ledger.full).advance()

    def tell(self) -> None:
        """Wake the thread, which is started when there is none."""
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
                self._bell = make_bell()  # anew: gevent may have patched locks and threads since this object was made
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
        self.options = options
        if self.queue or self._thread is not None:
            self.tell()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was recorded before is delivered.

        Args:
            timeout_s: How long to wait at most, in seconds.

        Returns:
            True when all of it is delivered; False when the time is over, or when metrics were dropped since the flush
            before (not since this call: whether a drop came a moment before it is chance).
        """
        ticket, pending = self.ledger.ticket()
        return (not pending or self._await(ticket, timeout_s)) and self._nothing_dropped()

    def _await(self, ticket: int | None, timeout_s: float) -> bool:
        """Wait until what the ledger gave the ticket for is settled; False when the time is over, or it won't be."""
        ours = {self._thread, *(courier.thread for courier in self.roster.couriers)}
        if not self.options.sinks or self.closed or threading.current_thread() in ours:
            return False
        done = threading.Lock()
        done.acquire()
        waiting = (ticket, done)
        self._flushes.append(waiting)
        self.flush_calls.advance()
        self.tell()
        for courier in self.roster.couriers:
            courier.ring()
        if self._thread is None:
            timeout_s = 0.0
        if done.acquire(timeout=min(max(0.0, timeout_s), threading.TIMEOUT_MAX)):
            return True
        with suppress(ValueError, IndexError):  # answered just now, or being answered: the thread forgets it by itself
            self._flushes.remove(waiting)
        return False

    def _nothing_dropped(self) -> bool:
        """Say whether nothing was dropped since this was asked last."""
        dropped = self.ledger.stats()["dropped"]
        before, self._dropped_told = self._dropped_told, dropped
        return dropped == before

    def stats(self) -> MetricsStats:
        """Count everything, the disk too."""
        stats = self.ledger.stats()
        stats["spool_size"] = sum(courier.shelf.metrics() for courier in self.roster.couriers)
        stats["spool_bytes"] = sum(courier.shelf.size_bytes() for courier in self.roster.couriers)
        return stats

    def close(self, timeout_s: float, *, why: str = "the process ended") -> int:
        """Flush, stop the threads, close the sinks that `configure` made; later record calls count as `closed`.

        What can't be delivered in time goes to the disk, which may take up to five seconds more.

        Args:
            timeout_s: How long delivery may take, in seconds.
            why: What ends runs that haven't ended.

        Returns:
            How many metrics are lost: neither delivered nor on the disk.
        """
        if self.roster.couriers and all(courier.is_denied() for courier in self.roster.couriers):
            timeout_s = 0.0  # a wrong token doesn't get right by waiting
        give_up_at_s = time.monotonic() + timeout_s
        if self.runs is not None:
            self.runs.kill_all(why)
        _, pending = self.ledger.ticket()
        lost = self.ledger.lost()
        if self.flush(timeout_s) and not self.ledger.is_settled(None):  # what other processes left, if there is time
            self._await(None, give_up_at_s - time.monotonic())
        if self._thread is None and self.options.sinks:
            self._give_up_at_s = give_up_at_s
            self.roster.follow(self.options)
            while self.queue and time.monotonic() < give_up_at_s:
                self._hand_out()
        self.closed = True
        self._stopping = True
        thread = self._thread
        if thread is None:
            self._finish()
        elif thread is not threading.current_thread():
            self.tell()
            thread.join(max(0.0, give_up_at_s - time.monotonic()) + _SAVING_S)
        self._give_up_at_s = give_up_at_s
        for courier in self.roster.couriers:  # a moment to report and to close, even when time is over
            if courier.thread is not None and courier.thread is not threading.current_thread():
                courier.thread.join(max(0.0, give_up_at_s - time.monotonic()) + 0.1)
        _, still_pending = self.ledger.ticket()
        return min(pending, self.ledger.lost() - lost + still_pending)

    def after_fork(self) -> None:
        """Begin anew in a child process: the threads weren't copied, and what was pending stays the parent's."""
        self.queue.clear()
        couriers = self.roster.couriers
        if self.runs is not None:
            self.runs.after_fork()
        self._begin()
        self.phase = Phase(0)
        for courier in couriers:
            courier.after_fork()
        for sink in self.options.sinks:
            forget = getattr(sink, "after_fork", None)
            if forget is not None:
                forget()

    # -- what couriers need (`courier.Office`) ------------------------------------------------------------------------

    def is_awaited(self) -> bool:
        """Whether somebody waits in flush()."""
        return bool(self._flushes)

    def is_giving_up(self) -> bool:
        """Whether the end has come."""
        return self._stopping or time.monotonic() >= self._give_up_at_s

    def give_up_at_s(self) -> float:
        """When it comes, by the monotonic clock."""
        return self._give_up_at_s

    def take_back(self, parcels: list[Parcel]) -> None:
        """Take what a retired courier didn't deliver."""
        self.roster.homeless.extend(parcels)
        self.tell()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._step()
            self._finish()
        finally:
            if not self._stopping:  # what is no Exception was raised: the next record call starts another thread
                self._thread = None
                self.phase = Phase(0)

    def _step(self) -> None:
        try:
            self.roster.follow(self.options)
            if self._wait_until_due() and self._wait_for_room():
                self._hand_out()
            self._tick()
            self._answer_flushes()
            self._tell_of_full()
        except Exception as exc:  # noqa: BLE001 - the thread must outlive any bug; it is told and counted
            self.ledger.last_error = f"{type(exc).__name__}: {exc}"
            self.warner.warn("bug", "the collector's thread had an error: %s", self.ledger.last_error)
            self._bell.acquire(timeout=_AFTER_BUG_S)

    def _wait_until_due(self) -> bool:
        """Wait for something to do; True when a batch has to leave."""
        options, queue = self.options, self.queue
        self.phase = Phase(0)
        if not queue:
            self._answer_flushes()
            self._bell.acquire(timeout=max(0.0, self._tick_at_s - time.monotonic()))
            return False
        if not options.sinks:
            self._wait_for_configure()
            return False
        interval_s = options.flush_interval_s
        if self.roster.couriers and all(courier.is_away() for courier in self.roster.couriers):
            interval_s = max(interval_s, _BATCH_WHEN_AWAY_S)
        waited_s = min(max(0.0, time.time() - queue[0][1]), interval_s)  # the clock may have been set back
        due_at_s = time.monotonic() + interval_s - waited_s
        while (left_s := due_at_s - time.monotonic()) > 0:
            self.phase = Phase(options.batch_size - 1)
            if len(queue) >= options.batch_size or self._flushes or options is not self.options or self._stopping:
                break
            self._answer_flushes()
            self._bell.acquire(timeout=left_s)
        self.phase = Phase(options.max_pending)
        return not self._stopping

    def _wait_for_configure(self) -> None:
        self.phase = Phase(self.options.max_pending)
        if not self._complained:
            self._bell.acquire(timeout=_UNCONFIGURED_GRACE_S)
            if not self.options.sinks and not self._stopping:
                self._complained = True
                self.warner.warn("unconfigured", "metrics wait: call collector.configure(url=...) to say where they go")
            return
        self._bell.acquire(timeout=_UNCONFIGURED_CHECK_S)
        self._tell_of_full()

    def _wait_for_room(self) -> bool:
        """Wait until a courier wants a batch, or must take one; False when something else came up."""
        options = self.roster.options  # with other options there are other couriers
        half = options.max_pending // 2
        while not self._stopping and options is self.options:
            self.phase = Phase(half)
            if any(courier.is_hungry() for courier in self.roster.couriers):
                return True
            if len(self.queue) > half:
                if any(courier.can_spool() for courier in self.roster.couriers):
                    return True
                self.phase = Phase(options.max_pending)
            self._answer_flushes()
            self._tell_of_full()
            self._bell.acquire(timeout=_LOOK_AROUND_S)
            self._tick()
        return False

    def _hand_out(self) -> None:
        """Make a batch, and give it to all couriers."""
        options = self.options
        self.phase = Phase(options.max_pending)
        overflow = len(self.queue) > options.max_pending // 2
        answering = not overflow and not any(courier.is_away() for courier in self.roster.couriers)
        waiting, most = len(self.queue), options.max_pending
        batch = self._make_batch(batch_length(options.batch_size, waiting, max_pending=most, answering=answering))
        if batch is not None:
            if self.roster.wants_text:
                with suppress(TypeError, ValueError):  # whoever sends it meets the same, and counts it
                    batch.text()
            self.roster.give(self.roster.parcel(batch), overflow=overflow)

    def _make_batch(self, most: int) -> Batch | None:
        return make_batch(self.ledger, most, warner=self.warner, redact=self.options.redact, runs=self.runs)

    def _tick(self) -> None:
        """Send the heartbeats that are due."""
        now_s = time.monotonic()
        if now_s >= self._tick_at_s:
            self._tick_at_s = now_s + _NO_RUN_S  # before the look at the runs: one that begins meanwhile sets it back
            if self.runs is not None:
                self._tick_at_s = min(self._tick_at_s, now_s + self.runs.tick(now_s))

    def tick_soon(self) -> None:
        """Ask the thread to look at the runs now."""
        self._tick_at_s = 0.0
        self.tell()

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
            self.warner.warn("full", "the queue is full, %d metrics are dropped so far", full)

    def _finish(self) -> None:
        """Put down what stays behind, on the disk or as lost, and close our own sinks."""
        self.phase = Phase(0)
        self.roster.follow(self.options)
        while self.queue:
            batch = self._make_batch(self.options.batch_size * LONG_QUEUE)
            if batch is not None and self.roster.couriers:
                self.roster.put_down(self.roster.parcel(batch))
            elif batch is not None:
                self.ledger.drop("closed", len(batch.events))
        self.roster.lose_homeless("closed")
        for courier in self.roster.couriers:
            courier.end()
            if courier.thread is None:
                courier.say_last()
                courier.close_sink()
        self._answer_flushes()
