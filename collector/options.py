"""What `configure` sets, checked and frozen, so that one assignment replaces all of it at once."""

import math
from dataclasses import dataclass

from collector.errors import ConfigurationError
from collector.sinks import Sink


@dataclass(frozen=True, slots=True)
class Options:
    """How a collector batches and delivers.

    Args:
        sinks: Where every batch goes; empty = nowhere yet, metrics wait in the queue.
        owned: Those of the sinks that the collector made, and closes when they are replaced.
        batch_size: A batch leaves when it holds so many metrics.
        flush_interval_s: A batch leaves when its oldest metric has waited so long, in seconds.
        max_pending: How many metrics may wait; what comes on top is dropped and counted as `queue_full`.
        exit_timeout_s: How long the flush at exit and on SIGTERM may take, in seconds.
        retry_base_s: Upper bound of the first wait before a retry, in seconds; it doubles from retry to retry.
        retry_cap_s: The longest such wait, in seconds.
    """

    sinks: tuple[Sink, ...] = ()
    owned: tuple[Sink, ...] = ()
    batch_size: int = 100
    flush_interval_s: float = 0.05
    max_pending: int = 50_000
    exit_timeout_s: float = 5.0
    retry_base_s: float = 0.1
    retry_cap_s: float = 30.0

    def __post_init__(self) -> None:
        _check_whole("batch_size", self.batch_size, 1, 10_000)
        _check_whole("max_pending", self.max_pending, self.batch_size, 10_000_000)
        _check_seconds("flush_interval_s", self.flush_interval_s, 3600)
        _check_seconds("exit_timeout_s", self.exit_timeout_s, 3600)
        _check_seconds("retry_base_s", self.retry_base_s, 3600)
        _check_seconds("retry_cap_s", self.retry_cap_s, 86_400)


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}, got {value!r}")


def _check_seconds(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 <= value <= most:
        raise ConfigurationError(f"{name} must be 0 to {most} seconds, got {value!r}")
