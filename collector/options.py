"""What `configure` sets, checked and frozen, so that one assignment replaces all of it at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from collector.errors import ConfigurationError
from collector.sinks import Sink

LEAST_SPOOL_BYTES = 128 << 10
MOST_SPOOL_AGE_S = 29 * 86_400  # the app remembers batch ids for 30 days: up to then a second delivery is harmless


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
        spool_dir: Where spools are, a folder for each target in it; None = none is kept.
        spool_max_bytes: How much may lie in one target's folder, of all processes together, in bytes; 0 = no spool.
        spool_max_age_s: What waited there for longer is dropped, `expired`, in seconds.
        redact: Called with each URL and each error text after our own redaction; gives what may leave the process.
    """

    sinks: tuple[Sink, ...] = ()
    owned: tuple[Sink, ...] = ()
    batch_size: int = 100
    flush_interval_s: float = 0.05
    max_pending: int = 50_000
    exit_timeout_s: float = 5.0
    retry_base_s: float = 0.1
    retry_cap_s: float = 30.0
    spool_dir: Path | None = None
    spool_max_bytes: int = 256 << 20
    spool_max_age_s: float = 7 * 86_400.0
    redact: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        _check_whole("batch_size", self.batch_size, 1, 10_000)
        _check_whole("max_pending", self.max_pending, self.batch_size, 10_000_000)
        _check_seconds("flush_interval_s", self.flush_interval_s, 3600)
        _check_seconds("exit_timeout_s", self.exit_timeout_s, 3600)
        _check_seconds("retry_base_s", self.retry_base_s, 3600)
        _check_seconds("retry_cap_s", self.retry_cap_s, 86_400)
        if self.spool_max_bytes != 0:
            _check_whole("spool_max_bytes", self.spool_max_bytes, LEAST_SPOOL_BYTES, 1 << 40)
        _check_seconds("spool_max_age_s", self.spool_max_age_s, MOST_SPOOL_AGE_S)
        if self.redact is not None and not callable(self.redact):
            raise ConfigurationError("redact must be callable: redact(text) -> text")


def _check_whole(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ConfigurationError(f"{name} must be a whole number from {least} to {most}, got {value!r}")


def _check_seconds(name: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigurationError(f"{name} must be a number of seconds, got {value!r}")
    if not 0 <= value <= most:
        raise ConfigurationError(f"{name} must be 0 to {most} seconds, got {value!r}")
