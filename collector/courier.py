"""A courier: delivers the batches to one sink on a thread of its own, and keeps on the disk what can't leave now."""

import threading
import time
from collections import deque
from contextlib import suppress

from collector.absence import Absence
from collector.bells import make_bell
from collector.errors import SinkUnavailable
from collector.offices import Office
from collector.options import Options
from collector.parcel import Offer, Parcel
from collector.shelf import Shelf
from collector.sinks import Sink
from collector.spool import Found, Spool

_ADOPT_EVERY_S = 60.0


class Courier:
    """Takes parcels from the worker and brings them to one sink, in order; those on the disk after those in memory.

    While the sink is away for more than a second, or when the worker has more than memory is meant for, parcels go to
    the disk. When the sink is back, what lies there is delivered oldest first, and what comes in meanwhile in turns
    with it, so that a long outage doesn't keep live pages from being live.

    Args:
        sink: Where to.
        office: Whom it works for.
        options: By which options.
        spool: Where parcels wait on the disk, if they may.
        owned: Whether the sink is closed with the courier.
        alone: Whether it is the only one; then nobody else settles its parcels.
        predecessor: A courier whose sink or spool this one goes on with, once that one is done.
    """

    def __init__(
        self,
        sink: Sink,
        office: Office,
        options: Options,
        *,
        spool: Spool | None,
        owned: bool,
        alone: bool,
        predecessor: "Courier | None" = None,
    ) -> None:
        self.sink = sink
        self.shelf = Shelf(spool, office.ledger, office.warner, alone=alone)
        self.thread: threading.Thread | None = None
        self._office = office
        self._options = options
        self._owned = owned
        self._alone = alone
        self._predecessor = predecessor
        # Protects everything below, with the spool's order; held while the disk is written, but by no record call, and
        # never while the sink works.
        self._lock = threading.Lock()
        self._outbox: deque[Parcel] = deque()
        self._outbox_metrics = 0
        self._held: Parcel | Found | None = None  # on its way now
        self._absence = Absence(options)
        self._was_reached = False  # before, nobody knows whether more on this shelf would be of use
        self._retired = False
        self._has_heir = False
        self._ended = False
        self._turn_of_disk = False
        self._bell = make_bell()
        self._adopt_at_s = 0.0
        self._more_to_adopt = False  # gone processes have left something, and it wasn't looked whether that was all

    # -- called by the worker -----------------------------------------------------------------------------------------

    def is_hungry(self) -> bool:
        """Whether it wants the next parcel now: nothing waits in memory, or it goes to the disk anyway."""
        return not self._outbox or (self._absence.is_long() and self.shelf.is_usable())

    def is_away(self) -> bool:
        """Whether the sink didn't answer when it was asked last."""
        return self._absence.is_now()

    def can_spool(self) -> bool:
        """Whether a disk is there to write to."""
        return self.shelf.is_usable()

    def accept(self, parcel: Parcel, *, overflow: bool) -> None:
        """Take a parcel, into memory or onto the disk.

        Args:
            parcel: To be delivered.
            overflow: Whether there is more than memory is meant for.
        """
        with self._lock:
            full = self._outbox_metrics + parcel.size > self._options.max_pending
            if self._ended:
                self._lose(parcel, "closed")
            elif (
                (full or (overflow and self._outbox) or self._absence.is_long())
                and self._spill()
                and self.shelf.put(parcel)
            ):
                pass
            elif full and not self._alone:  # a courier that is alone is only given what it has asked for
                self._lose(parcel, "sink_full")
            else:
                self._outbox.append(parcel)
                self._outbox_metrics += parcel.size
        self.ring()

    def ring(self) -> None:
        """Wake the thread."""
        if self._bell.locked():
            with suppress(RuntimeError):  # another thread rang in between
                self._bell.release()

    def start(self) -> bool:
        """Start the thread, if it isn't running; False when that can't be."""
        if self.thread is None:
            thread = threading.Thread(target=self._run, name="scrapeboard-collector-courier", daemon=True)
            self.thread = thread
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is ending
                self.thread = None
                return False
        return True

    def begin(self) -> None:
        """Go on with what a predecessor leaves, if there is one."""
        if self._predecessor is not None and not self.start():
            self._inherit()

    def revive(self) -> None:
        """Start the thread again if something ended it."""
        if self._outbox and self.thread is None:
            self.start()

    def is_denied(self) -> bool:
        """Whether the sink wants nothing from us, and asking again soon is of no use."""
        return self._absence.is_denial

    def retire(self, *, has_heir: bool) -> None:
        """Finish what is on its way; the rest goes back to the worker, and the spool to the heir, if there is one."""
        self._has_heir = has_heir
        self._retired = True
        self.ring()
        if self.thread is None:
            self._leave()

    def end(self) -> None:
        """Put down what isn't delivered, on the disk or as lost; the thread may still be inside of the sink."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            held = self._held
            waiting = ([held] if isinstance(held, Parcel) else []) + list(self._outbox)
            self._outbox.clear()
            self._outbox_metrics = 0
            for parcel in waiting:
                if not self.shelf.put(parcel):
                    self._lose(parcel, "closed")
            self.shelf.leave()
        self.ring()

    def work_off(self) -> None:
        """Deliver what waits on the caller's thread: where no thread can be started."""
        while not self._office.is_giving_up() and self._work():
            continue

    def say_last(self) -> None:
        """Let the sink report how it ended, if there is time."""
        tell = getattr(self.sink, "report_last", None)
        left_s = self._office.give_up_at_s() - time.monotonic()
        if tell is not None and left_s > 0 and not self.is_away():
            with suppress(SinkUnavailable):
                tell(left_s)

    def close_sink(self) -> None:
        """Close the sink, if it is ours."""
        close = getattr(self.sink, "close", None)
        if self._owned and close is not None:
            close()

    def after_fork(self) -> None:
        """Leave the parent's files to the parent."""
        self.shelf.after_fork()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._inherit()
            self._go_on()
        finally:
            if not (self._retired or self._ended):  # what is no Exception was raised: the next parcel starts another
                self.thread = None
                self._office.tell()
        if self._ended:
            self.say_last()
            self.close_sink()
        else:
            self._leave()

    def _go_on(self) -> None:
        while not (self._retired or self._ended):
            try:
                if self._office.is_giving_up():
                    self._bell.acquire(timeout=0.05)  # until `end` is called
                elif not self._work():
                    self._rest()
            except Exception as exc:  # noqa: BLE001 - the thread must outlive any bug; it is told, and tried again
                self._office.ledger.last_error = f"{type(exc).__name__}: {exc}"
                self._office.warner.warn("bug", "a courier had an error: %s", self._office.ledger.last_error)
                self._bell.acquire(timeout=1.0)

    def _inherit(self) -> None:
        """Take the lock, once the predecessor is done, and go on with its files."""
        predecessor, self._predecessor = self._predecessor, None
        if predecessor is None:
            return
        if predecessor.thread is not None:
            predecessor.thread.join()
        with self._lock:
            self.shelf.inherit(predecessor.shelf)

    def _rest(self) -> None:
        now_s = time.monotonic()
        due_s = self._adopt_at_s if self._was_reached and self.shelf.spool is not None else now_s + 3600
        tell = getattr(self.sink, "report_if_due", None)
        if tell is not None:
            with suppress(SinkUnavailable):  # it is a report: the next one says the same
                due_s = min(due_s, now_s + tell())
        self._bell.acquire(timeout=max(0.01, due_s - now_s))

    def _work(self) -> bool:
        """Deliver one parcel; False when there is none."""
        if not self._absence.is_now():
            with self._lock:
                self._adopt_if_due()
        item = self._next()
        if item is None:
            return False
        try:
            self._deliver(item)
        except BaseException:
            with self._lock:
                self._held = None
                if not self._ended:
                    self._settle(item, dict.fromkeys(range(_size(item)), "internal_error"), None)
            raise
        self._office.tell()
        return True

    def _next(self) -> Parcel | Found | None:
        with self._lock:
            if self._ended or self._retired:
                return None
            if self._outbox and not self._turn_of_disk:
                parcel = self._outbox.popleft()
                self._outbox_metrics -= parcel.size
                self._held = parcel
                self._turn_of_disk = True
                return parcel
            self._turn_of_disk = False
            self._held = self.shelf.oldest()
            if self._held is None and self._outbox:
                parcel = self._outbox.popleft()
                self._outbox_metrics -= parcel.size
                self._held = parcel
            return self._held

    def _deliver(self, item: Parcel | Found) -> None:
        """Offer a batch until the sink has it, it went to the disk, or the end comes."""
        office = self._office
        assert item.batch is not None  # those without one never leave the shelf
        offer = Offer(item.batch, self.sink, office.warner)
        office.tell()  # there is room for the next
        while True:
            flush_calls = office.flush_calls.value()
            trouble = offer.make()
            office.ledger.last_error = offer.error or office.ledger.last_error
            if trouble is None:
                break
            self._absence.begin(trouble)
            self._say(trouble)
            office.tell()  # from now on it may be the disk that has room
            put_down = isinstance(item, Parcel) and self._absence.is_long() and self._put_down(item)
            self._pause(trouble.retry_after_s, offer.attempts, flush_calls)
            if put_down or self._ended:
                return
            if self._retired or office.is_giving_up():
                self._hand_back(item)
                return
            office.ledger.retry()
        self._absence.end()
        with self._lock:
            if not self._ended:
                self._held = None
                self._was_reached = True
                # Before anybody hears that all is out.
                self._adopt_if_due(item.record.metrics if isinstance(item, Found) else 0)
                self._settle(item, offer.lost, time.time_ns() // 1_000_000)

    def _say(self, trouble: SinkUnavailable) -> None:
        where = self.shelf.where()
        if self._absence.is_denial:
            self._office.warner.warn_once("denied", "metrics wait %s: %s", where, trouble)
        else:
            self._office.warner.warn("away", "metrics wait %s: %s", where, trouble)

    def _pause(self, retry_after_s: float | None, attempts: int, flush_calls: int) -> None:
        """Wait before the next attempt; other options and the end cut it short, a flush only what nobody asked for."""
        office = self._office
        until_s = time.monotonic() + self._absence.pause_s(retry_after_s, attempts, is_awaited=office.is_awaited())
        while (left_s := min(until_s, office.give_up_at_s()) - time.monotonic()) > 0:
            if self._ended or self._retired or office.is_giving_up():
                return
            if retry_after_s is None and office.flush_calls.value() != flush_calls:
                return
            self._bell.acquire(timeout=left_s)

    # -- the disk -----------------------------------------------------------------------------------------------------

    def _spill(self) -> bool:
        """Move what waits in memory to the disk, with the lock held; whether all of it is there."""
        while self._outbox:
            if not self.shelf.put(self._outbox[0]):
                return False
            self._outbox_metrics -= self._outbox.popleft().size
        return True

    def _put_down(self, parcel: Parcel) -> bool:
        """Put what is on its way on the disk, with what waits behind it; whether it is there."""
        with self._lock:
            if self._ended or self.shelf.metrics():
                return False  # what lies there is younger: this one goes first
            if not self.shelf.put(parcel):
                return False
            self._held = None
            self._spill()
            return True

    def _hand_back(self, item: Parcel | Found) -> None:
        """Put what was on its way back to where it came from."""
        with self._lock:
            self._held = None
            if isinstance(item, Parcel) and not self._ended:
                self._outbox.appendleft(item)
                self._outbox_metrics += item.size

    def _adopt_if_due(self, delivered: int = 0) -> None:
        """Take over what gone processes left, with the lock held; `delivered` metrics on the shelf are settled next."""
        is_due = time.monotonic() >= self._adopt_at_s or (self._more_to_adopt and self.shelf.metrics() <= delivered)
        if self._was_reached and not self._ended and is_due:
            self._adopt_at_s = time.monotonic() + self._absence.about(_ADOPT_EVERY_S)
            self._more_to_adopt = self.shelf.adopt()

    def _settle(self, item: Parcel | Found, lost: dict[int, str], now_ms: int | None) -> None:
        """Count what became of a batch, with the lock held."""
        if isinstance(item, Parcel):
            self._office.ledger.finish(item.account, lost, now_ms=now_ms)
        else:
            self.shelf.settle(item, lost, now_ms)

    def _lose(self, parcel: Parcel, reason: str) -> None:
        self._office.ledger.finish(parcel.account, dict.fromkeys(range(parcel.size), reason))

    def _leave(self) -> None:
        """Go: what wasn't delivered goes back to the worker."""
        with self._lock:
            self._ended = True
            parcels = list(self._outbox)
            self._outbox.clear()
            self._outbox_metrics = 0
            if not self._has_heir:
                self.shelf.leave()
        self.close_sink()
        self._office.take_back(parcels)


def _size(item: Parcel | Found) -> int:
    return item.size if isinstance(item, Parcel) else item.record.metrics
