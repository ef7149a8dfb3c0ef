"""A batch on its way: which sinks still lack it, and which of its metrics are lost."""

from collections.abc import Sequence

from collector.errors import SinkRefused, SinkUnavailable
from collector.sinks import Batch, Rejection, Sink
from collector.warner import Warner

# After so many errors that no sink should raise, the batch is taken for the cause: it mustn't block the others.
_MOST_UNFORESEEN = 5


class Parcel:
    """One batch and what became of it at each sink; used by the worker's thread only.

    A metric counts as lost as soon as one sink doesn't keep it.

    Args:
        batch: What travels.
        sinks: To whom.
        warner: Where trouble is told.
    """

    __slots__ = ("_missing", "_unforeseen", "_warner", "attempts", "batch", "lost")

    def __init__(self, batch: Batch, sinks: Sequence[Sink], warner: Warner) -> None:
        self.batch = batch
        self.lost: dict[int, str] = {}  # index in the batch -> reason
        self.attempts = 0
        self._missing = list(sinks)
        self._unforeseen = 0
        self._warner = warner

    def redirect(self, sinks: Sequence[Sink]) -> None:
        """Send to other sinks instead; what the former ones made of it is forgotten."""
        self._missing = list(sinks)
        self.lost = {}
        self.attempts = 0
        self._unforeseen = 0

    def offer(self) -> tuple[SinkUnavailable | None, str | None]:
        """Offer the batch once to every sink that lacks it.

        Returns:
            (trouble, error): trouble is None when no sink has to be asked again, else the reason to, with the longest
            wait that was asked for; error is what went wrong, retried or not, in one line.
        """
        self.attempts += 1
        trouble: SinkUnavailable | None = None
        error: str | None = None
        missing: list[Sink] = []
        for sink in self._missing:
            try:
                delivery = sink.send(self.batch)
            except SinkUnavailable as exc:
                missing.append(sink)
                trouble = _longer(trouble, exc)
                error = str(exc)
            except SinkRefused as exc:
                error = str(exc)
                self._lose_all("refused")
                self._warner.warn("refused", "metrics are refused and dropped: %s", error)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - somebody's sink may raise anything; we go on
                error = f"{type(sink).__name__} raised {type(exc).__name__}: {exc}"
                self._unforeseen += 1
                if self._unforeseen < _MOST_UNFORESEEN:
                    missing.append(sink)
                    trouble = _longer(trouble, SinkUnavailable(error))
                else:
                    self._lose_all("sink_error")
                    self._warner.warn("sink_error", "metrics are dropped: %s", error)
            else:
                if delivery.rejected:
                    error = self._lose(delivery.rejected) or error
        self._missing = missing
        return trouble, error

    def _lose_all(self, reason: str) -> None:
        for index in range(len(self.batch.metrics)):
            self.lost.setdefault(index, reason)

    def _lose(self, rejected: Sequence[Rejection]) -> str | None:
        real = [rejection for rejection in rejected if 0 <= rejection.index < len(self.batch.metrics)]
        for rejection in real:
            self.lost.setdefault(rejection.index, "rejected")
        if not real:
            return None
        error = f"rejected: {real[0].field}: {real[0].message}"
        self._warner.warn("rejected", "%d of %d metrics were %s", len(real), len(self.batch.metrics), error)
        return error


def _longer(one: SinkUnavailable | None, other: SinkUnavailable) -> SinkUnavailable:
    if one is None or (other.retry_after_s or 0) > (one.retry_after_s or 0):
        return other
    return one
