"""Where batches go: the `Sink` protocol and its values; `HttpSink` sends them to an app."""

import http.client
import json
import math
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from collector.errors import ConfigurationError, SinkDenied, SinkRefused, SinkUnavailable
from collector.events import Event, Metric
from collector.fields import clean
from collector.redact import redact_url
from collector.run_events import ScraperRun
from collector.wire_text import dumps, event_text

REPORT_EVERY_S = 5.0
REPORT_WHEN_IDLE_S = 30.0
_MAX_ANSWER_BYTES = 1 << 20
_DENIED_AGAIN_AFTER_S = 60.0
_MAX_BODY_BYTES = 4 << 20  # an app takes 8 MiB
_TOO_LARGE = 413

# Connections of a parent process. They are kept for ever, because a buffer that the parent's thread was reading at the
# fork is locked here for ever: closing it, also by letting it go, raises.
_inherited: list[http.client.HTTPConnection] = []


@dataclass(frozen=True, slots=True)
class Batch:
    """Metrics that travel together.

    Args:
        batch_id: Unique, at most 64 characters; the same on every retry, so that a second delivery is harmless.
        metrics: The metrics, in the order in which they were recorded.
        runs: What is told about runs, in order; they come after the metrics where places are counted. Not both empty.
    """

    batch_id: str
    metrics: tuple[Metric, ...]
    runs: tuple[ScraperRun, ...] = ()
    _text: list[str] = field(default_factory=list, init=False, repr=False, compare=False)  # empty until it is written

    @property
    def events(self) -> tuple[Event, ...]:
        """All that is in it, by place."""
        return (*self.metrics, *self.runs) if self.runs else self.metrics

    def text(self) -> str:
        """Write its events as JSON, separated by commas; that is done once, whoever needs it first.

        Raises:
            TypeError: An event that was made by hand has a value that JSON hasn't.
            ValueError: The same.
        """
        if not self._text:
            self._text.append(",".join(map(event_text, self.events)))
        return self._text[0]

    def halves(self) -> "tuple[Batch, Batch]":
        """Cut it in two that are always the same, with ids that follow from its own."""
        half = (len(self.metrics) + 1) // 2 if self.metrics else 0
        told = 0 if self.metrics else (len(self.runs) + 1) // 2
        return (
            Batch(f"{self.batch_id}0", self.metrics[:half], self.runs[:told]),
            Batch(f"{self.batch_id}1", self.metrics[half:], self.runs[told:]),
        )


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
    """Anything that takes batches; one thread at a time calls it.

    More is used where a sink has it: `after_fork()` is called in a child process before anything else (drop what
    belongs to the parent); the maintenance jobs `generate_daily_summary(date)` and
    `cleanup_old_metrics(retention_days)`; `spool_key`, a text that names the target in every process: what can't be
    delivered waits on the disk under it; `sends_text`, true where it sends `Batch.text()`: that is made for it while
    the batch before is on its way.
    """

    def send(self, batch: Batch) -> Delivery:
        """Take a batch; when this returns, it is persisted.

        Raises:
            SinkUnavailable: Not now; the same batch comes again later.
            SinkRefused: Never; the batch is dropped and counted.
        """
        ...


class HttpSink:
    """Sends batches to an app: `POST {url}/api/ingest`, one connection that is kept open.

    One thread at a time may send. After a fork the child opens a connection of its own.

    Args:
        url: The app's address, `http://host:8050` or `https://host/prefix`.
        token: Bearer token, when the app has one (`SCRAPEBOARD_TOKEN`).
        timeout_s: How long connecting, sending and each wait for the answer may take, in seconds.
        report: Makes the collector's report about itself in its form on the wire (`collector.report`), which goes with
            a batch every five seconds at most, and alone when there was none for half a minute; None = none is sent.

    Attributes:
        spool_key: The address in one spelling.

    Raises:
        ConfigurationError: The address, the token or the time-out can't work.
    """

    sends_text = True

    def __init__(
        self,
        url: str,
        token: str | None = None,
        timeout_s: float = 10.0,
        *,
        report: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self._https, self._host, self._port, prefix = _parse_address(url)
        self.spool_key = f"{'https' if self._https else 'http'}://{self._host}:{self._port}{prefix}"
        self._path = f"{prefix}/api/ingest"
        self._report = report
        self._reported_at_s = -math.inf
        self._collector_id = ""
        self._address = url
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json", "User-Agent": "scrapeboard-collector"}
        if type(timeout_s) not in (int, float) or not 0 < timeout_s <= 3600:
            raise ConfigurationError(f"timeout_s must be a number of seconds, up to 3600, got {timeout_s!r}")
        if token is not None:
            if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token.strip():
                raise ConfigurationError("token must be printable ASCII characters")
            self._headers["Authorization"] = f"Bearer {token}"
        self._connection: http.client.HTTPConnection | None = None
        self._process_id = os.getpid()

    def send(self, batch: Batch) -> Delivery:
        """Send a batch and wait until the app has persisted it.

        Raises:
            SinkUnavailable: No connection, a time-out, 404, 405, 408, 425, 429, 5xx, or an answer that no app gives.
            SinkDenied: 401 and 403: the token is wrong.
            SinkRefused: Any other 4xx; 413 of a single event only: what is too large at once is sent in parts.
        """
        body, telling = self._encode(batch)
        if len(body) > _MAX_BODY_BYTES and len(batch.events) > 1:
            return self._send_halves(batch)
        began_s = time.monotonic()
        if self._process_id != os.getpid():
            self.after_fork()
        answer = self._try(body)
        if answer[0] == _TOO_LARGE and len(batch.events) > 1:  # a proxy's limit may be lower than the app's
            return self._send_halves(batch)
        delivery = self._read_answer(*answer)
        if telling:
            self._reported_at_s = began_s
        return delivery

    def _encode(self, batch: Batch) -> tuple[bytes, bool]:
        """Give a batch's body, and whether the report is in it."""
        message: dict[str, Any] = {}
        telling = self._report is not None and time.monotonic() - self._reported_at_s >= REPORT_EVERY_S
        if self._report is not None and telling:
            message["collector"] = self._report()
            self._collector_id = message["collector"]["id"]
        elif self._report is not None:
            # By these the app knows whose clock the times are from: batches between two reports are corrected alike.
            message |= {"collectorId": self._collector_id, "sentAt": time.time_ns() // 1_000_000}
        rest = f",{dumps(message)[1:-1]}" if message else ""
        return f'{{"batchId":{dumps(batch.batch_id)},"metrics":[{batch.text()}]{rest}}}'.encode(), telling

    def _send_halves(self, batch: Batch) -> Delivery:
        """Send what is too large for one body as two; again, the same two come out of it, under the same ids."""
        first, second = batch.halves()
        one, other = self._send_half(first), self._send_half(second)
        moved = (Rejection(no.index + len(first.metrics), no.field, no.message) for no in other.rejected)
        return Delivery(one.accepted + other.accepted, one.duplicate and other.duplicate, (*one.rejected, *moved))

    def _send_half(self, half: Batch) -> Delivery:
        """Send a part; one event that nobody takes must not cost the others."""
        try:
            return self.send(half)
        except SinkRefused as exc:
            if len(half.events) > 1:
                raise
            return Delivery(0, False, (Rejection(0, "metric", exc.reason),))

    def _try(self, body: bytes) -> tuple[int, str | None, bytes]:
        reused = self._connection is not None
        try:
            try:
                return self._exchange(body)
            except (OSError, http.client.HTTPException) as exc:
                self.close()
                if not reused or isinstance(exc, TimeoutError):
                    raise
                # A kept connection that the app closed while it was idle: no reason to wait before the next attempt.
                return self._exchange(body)
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise SinkUnavailable(f"{self._address}: {type(exc).__name__}: {exc}") from exc

    def report_if_due(self) -> float:
        """Send the report alone when none went out for half a minute; for how many seconds that isn't due again.

        Raises:
            SinkUnavailable: Not now.
        """
        if self._report is None:
            return 3600.0
        left_s = self._reported_at_s + REPORT_WHEN_IDLE_S - time.monotonic()
        if left_s > 0 or self._reported_at_s == -math.inf:  # nobody has heard of us: there was nothing to say yet
            return max(left_s, 1.0)
        self._report_now()
        return REPORT_WHEN_IDLE_S

    def report_last(self, timeout_s: float) -> None:
        """Send the report a last time, if one was sent before, within so many seconds.

        Raises:
            SinkUnavailable: Not now.
        """
        if self._report is not None and self._reported_at_s > -math.inf:
            self.close()
            self._timeout_s = min(self._timeout_s, max(0.05, timeout_s))
            self._report_now()

    def _report_now(self) -> None:
        self._reported_at_s = -math.inf
        try:
            self.send(Batch(uuid.uuid4().hex, ()))
        except SinkRefused:
            self._report = None  # an app of another version: it doesn't want to know
        finally:
            self._reported_at_s = time.monotonic()

    def after_fork(self) -> None:
        """Leave the parent's connection to the parent; the next send opens one of this process."""
        connection, self._connection = self._connection, None
        self._process_id = os.getpid()
        self._reported_at_s = -math.inf
        if connection is not None and connection.sock is not None:
            _inherited.append(connection)
            os.close(connection.sock.detach())

    def close(self) -> None:
        """Close the connection; the next send opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def exchange_once(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Ask the app something over a connection of its own; any thread may.

        Args:
            method: PUT, for instance.
            path: Below the app's address, from its slash on.
            body: JSON.

        Returns:
            (the status, the answer; empty when it is no JSON object).

        Raises:
            OSError: The app can't be reached.
            http.client.HTTPException: What answers isn't HTTP.
        """
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request(method, self._path.removesuffix("/api/ingest") + path, body, self._headers)
            response = connection.getresponse()
            status, answer = response.status, response.read(_MAX_ANSWER_BYTES)
        finally:
            connection.close()
        return status, _json_object(answer)

    def _exchange(self, body: bytes) -> tuple[int, str | None, bytes]:
        connection = self._connection
        if connection is None:
            # Looked up here: a Python that was built without ssl has no HTTPSConnection.
            kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            connection = self._connection = kind(self._host, self._port, timeout=self._timeout_s)
        connection.request("POST", self._path, body, self._headers)
        response = connection.getresponse()
        answer = response.read(_MAX_ANSWER_BYTES)
        if response.read(1) or response.will_close:  # the read also lets http.client see the end of a chunked answer
            self.close()
        return response.status, response.getheader("Retry-After"), answer

    def _read_answer(self, status: int, retry_after: str | None, body: bytes) -> Delivery:
        said = _json_object(body)
        if status in (200, 202) and isinstance(said.get("accepted"), int):
            return Delivery(said["accepted"], said.get("duplicate") is True)
        if status == 422 and isinstance(said.get("accepted"), int) and isinstance(said.get("rejected"), list):
            return Delivery(said["accepted"], False, tuple(_read_rejection(item) for item in said["rejected"]))
        reason = f"{self._address} answered {status}{_explanation(status, said)}"
        if status in (404, 405, 408, 425, 429) or not 400 <= status < 500:
            # 404 and 405 too: a proxy says so while the app behind it restarts, web servers say so of an address that
            # isn't the app's, and an address can be corrected.
            raise SinkUnavailable(reason, _parse_retry_after(retry_after))
        if status in (401, 403):
            raise SinkDenied(reason, _DENIED_AGAIN_AFTER_S)
        raise SinkRefused(reason)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):  # ValueError: also bytes that are no UTF-8
        answer = None
    return answer if isinstance(answer, dict) else {}


def _parse_address(url: object) -> tuple[bool, str, int | None, str]:
    shape = "url must look like http://host:8050"
    if not isinstance(url, str):
        raise ConfigurationError(f"{shape}, got {type(url).__name__}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as exc:  # also a UnicodeError of a host that can't be
        raise ConfigurationError(f"{shape}: {exc}") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"{shape}, got {redact_url(url)!r}")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(f"{shape}, without credentials, query or fragment (give the token as token=...)")
    if not parts.path.isascii() or not parts.path.isprintable() or " " in parts.path:
        raise ConfigurationError(f"{shape}, and its path must be plain ASCII")
    return parts.scheme == "https", host, port, parts.path.rstrip("/")


def _read_rejection(item: object) -> Rejection:
    found = item if isinstance(item, dict) else {}
    index = found.get("index")
    field, message = clean(str(found.get("field", "metric"))), clean(str(found.get("message", "not kept")))
    return Rejection(index if type(index) is int else -1, field, message)


def _explanation(status: int, answer: dict[str, Any]) -> str:
    said = answer.get("error") or answer.get("message")
    if said:
        return f": {clean(str(said)[:200])}"
    return {
        401: ": the token is missing or wrong (configure(token=...))",
        404: ": is this the address of a Scrapeboard app?",
        405: ": is this the address of a Scrapeboard app?",
        413: ": the batch is too large (configure(batch_size=...))",
    }.get(status, "" if status >= 300 else ", but not as a Scrapeboard app does")


def _parse_retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date (RFC 9110 section 10.2.3); None when it makes no sense."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
