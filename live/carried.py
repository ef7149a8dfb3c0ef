"""What travels on the stream: commits become batches without numbers, messages become batches of the channel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Protocol

import orjson

from collector.events import Event, from_wire, to_wire
from collector.run_events import LOST, STATES, read_run
from live import protocol
from live.channel import Delivery, Published
from live.frames import to_json
from live.stream import Message, Outgoing


class Commit(Protocol):
    """Metrics that are stored for good, by the name that every process knows them under."""

    @property
    def key(self) -> str:
        """The name."""

    @property
    def metrics(self) -> Sequence[Event]:
        """The metrics and messages about runs."""


def outgoing(commits: Sequence[Commit]) -> list[Outgoing]:
    """Return commits as batches of one source each, in the order of the commits.

    Args:
        commits: Commits.
    """
    by_source: dict[str, list[tuple[str, Event]]] = {}
    for commit in commits:
        for metric in commit.metrics:
            by_source.setdefault(protocol.topic(metric), []).append((commit.key, metric))
    now_ms = protocol.now_ms()
    batches = []
    for source, keyed in by_source.items():
        for start in range(0, len(keyed), protocol.MAX_BATCH):
            some = keyed[start : start + protocol.MAX_BATCH]
            keys = tuple((key, sum(1 for _ in same)) for key, same in groupby(some, key=lambda pair: pair[0]))
            metrics = to_json([to_wire(metric) for _, metric in some])
            batches.append(Outgoing(source, len(some), now_ms, keys, metrics))
    return batches


def published(message: Message) -> Published:
    """Return a message as the batch that every process makes of it, byte by byte the same.

    Args:
        message: The message.
    """
    payload = protocol.batch_of(
        message.source, message.seq, message.count, message.timestamp_ms, orjson.Fragment(message.metrics)
    )
    return Published(message.order, message.source, message.seq, payload, message.count)


def delivery(message: Message, is_new: Callable[[str], bool]) -> Delivery:
    """Return a message as a batch, without what its listeners had before.

    Args:
        message: The message.
        is_new: Whether the metrics of a commit are new to the listeners, by its key.
    """
    batch = published(message)
    if all(is_new(key) for key, _ in message.keys):
        return Delivery(batch)
    kept = _new_metrics(message, is_new)
    # With nothing left it still counts: who follows `*` counts batches.
    return Delivery(batch, protocol.batch_of(message.source, message.seq, len(kept), message.timestamp_ms, kept))


def new_metrics(message: Message, is_new: Callable[[str], bool]) -> list[Event]:
    """Return a message's metrics, without those that its listeners had before.

    Args:
        message: The message.
        is_new: As for `delivery`.
    """
    return [_event(event, message.timestamp_ms) for event in _new_metrics(message, is_new)]


def _event(wire: Any, now_ms: int) -> Event:
    """Read what an app wrote: it says of a run, too, that it is lost."""
    if wire.get("type") == "run":
        return read_run(wire, now_ms, states=(*STATES, LOST))
    return from_wire(wire, now_ms=now_ms)


def _new_metrics(message: Message, is_new: Callable[[str], bool]) -> list[Any]:
    metrics = iter(orjson.loads(message.metrics))
    keyed = [(key, next(metrics)) for key, count in message.keys for _ in range(count)]
    return [metric for key, metric in keyed if is_new(key)]
