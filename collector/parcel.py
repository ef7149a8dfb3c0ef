"""A batch on its way: which sinks still lack it, and which of its metrics are lost."""

from collections.abc import Sequence
from typing import NamedTuple

from collector.entries import describe_exception
from collector.errors import SinkRefused, SinkUnavailable
from collector.sinks import Batch, Delivery, Rejection, Sink
from collector.warner import Warner

# After so many errors that no sink should raise, the batch is taken for the cause: it mustn't block the others.
_MOST_UNFORESEEN = 5


class Account:
    """What became of one batch of this process's own metrics, kept by the ledger; it outlives the batch in memory.

    A metric counts as lost as soon as one sink doesn't keep it.

    Args:
        size: How many metrics.
        generation: Of the options by which it was given out.
        sinks: How many sinks have to take it.
    """

    __slots__ = ("generation", "left", "lost", "missing", "size")

    def __init__(self, size: int, generation: int, sinks: int) -> None:
        self.size = size
        self.generation = generation
        self.missing = sinks
        self.lost: dict[int, str] = {}  # place in the batch -> reason
        self.left = False  # one sink's share stays on the disk at the end


class Parcel(NamedTuple):
    """A batch in memory, shared by the couriers of all sinks.

    Args:
        batch: What travels.
        account: What became of it.
    """

    batch: Batch
    account: Account

    @property
    def size(self) -> int:
        """How many metrics it holds."""
        return self.account.size


class Offer:
    """One batch offered to one sink, again and again; used by one courier's thread.

    Args:
        batch: What is offered.
        sink: To whom.
        warner: Where trouble is told.
    """

    __slots__ = ("_batch", "_sink", "_unforeseen", "_warner", "attempts", "error", "lost")

    def __init__(self, batch: Batch, sink: Sink, warner: Warner) -> None:
        self._batch = batch
        self._sink = sink
        self._warner = warner
        self._unforeseen = 0
        self.attempts = 0
        self.lost: dict[int, str] = {}  # what this sink didn't keep: place in the batch -> reason
        self.error: str | None = None  # what went wrong last, in one line

    def make(self) -> SinkUnavailable | None:
        """Offer it once; the reason to do so again, None when it is settled."""
        self.attempts += 1
        try:
            delivery = self._sink.send(self._batch)
        except SinkUnavailable as exc:
            self.error = str(exc)
            return exc
        except SinkRefused as exc:
            self.error = str(exc)
            self._lose_all("refused")
            self._warner.warn("refused", "metrics are refused and dropped: %s", self.error)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - somebody's sink may raise anything; we go on
            self.error = f"{type(self._sink).__name__} raised {describe_exception(exc)}"
            self._unforeseen += 1
            if self._unforeseen < _MOST_UNFORESEEN:
                return SinkUnavailable(self.error)
            self._lose_all("sink_error")
            self._warner.warn("sink_error", "metrics are dropped: %s", self.error)
        else:
            if isinstance(delivery, Delivery) and delivery.rejected:
                self._lose(delivery.rejected)
        return None

    def _lose_all(self, reason: str) -> None:
        self.lost = dict.fromkeys(range(len(self._batch.events)), reason)

    def _lose(self, rejected: Sequence[Rejection]) -> None:
        size = len(self._batch.events)
        real = [rejection for rejection in rejected if 0 <= rejection.index < size]
        for rejection in real:
            self.lost.setdefault(rejection.index, "rejected")
        if real:
            self.error = f"rejected: {real[0].field}: {real[0].message}"
            self._warner.warn("rejected", "%d of %d metrics were %s", len(real), size, self.error)
