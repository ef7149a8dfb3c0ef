"""The collector's errors, one tree under `CollectorError`."""


class CollectorError(Exception):
    """Anything that the collector raises by itself."""


class InvalidMetric(CollectorError, ValueError):  # noqa: N818 - a public name
    """A metric that can't be kept because one of its fields is wrong.

    Args:
        field: The field's name on the wire, in camelCase (`navigationDurationMs`); `metric` for the whole.
        message: What is accepted there, and what came instead, in one line.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


class ConfigurationError(CollectorError, ValueError):
    """A `configure` argument that can't work, or a call that the present configuration can't answer."""


class SinkError(CollectorError):
    """A sink didn't take a batch."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class SinkUnavailable(SinkError):  # noqa: N818 - a public name
    """The sink can't take the batch now: keep it and try again.

    Args:
        reason: What happened, in one line.
        retry_after_s: How long the sink asked to be left alone, in seconds; None when it didn't say.
    """

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class SinkDenied(SinkUnavailable):
    """The sink takes nothing from us: a wrong token. Keep the batch, say so once, and ask seldom."""


class SinkRefused(SinkError):  # noqa: N818 - a public name
    """The sink will never take this batch (not a batch, too large): drop it and count it."""
