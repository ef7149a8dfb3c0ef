"""Where batches go: the `Sink` protocol and its values; `HttpSink` sends them to an app."""

from dataclasses import dataclass
from typing import Protocol

from collector.events import Metric


@dataclass(frozen=True, slots=True)
class Batch:
    """Metrics that travel together.

    Args:
        batch_id: Unique, at most 64 characters; the same on every retry, so that a second delivery is harmless.
        metrics: At least one metric, in the order in which they were recorded.
    """

    batch_id: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Rejection:
    """One metric of a batch that the receiver didn't keep.

    Args:
        index: Its place in the batch, from 0.
        field: The wrong field's wire name.
        message: What is accepted there.
    """

    index: int
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a batch.

    Args:
        accepted: How many metrics are stored now by this delivery; 0 for a duplicate.
        duplicate: The batch id was seen before: everything is stored already.
        rejected: The metrics that were not kept.
    """

    accepted: int
    duplicate: bool = False
    rejected: tuple[Rejection, ...] = ()


class Sink(Protocol):
    """Anything that takes batches."""

    def send(self, batch: Batch) -> Delivery:
        """Take a batch; when this returns, it is persisted.

        Raises:
            SinkUnavailable: Not now; the same batch comes again later.
            SinkRefused: Never; the batch is dropped and counted.
        """
        ...
