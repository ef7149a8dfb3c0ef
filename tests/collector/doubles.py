"""Stand-ins for what a collector talks to: a sink in the process and a real HTTP server, both scripted."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from collector import Collector
from collector.errors import SinkUnavailable
from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from collector.sinks import Batch, Delivery

M = TypeVar("M", PageNavigation, PageScrape, SchedulerRun)

WAIT_S = 90.0  # far more than anything here takes: whoever runs into it has failed


class MemorySink:
    """Keeps what it gets, once for each batch id; answers as told, then accepts.

    Args:
        answers: For the first batches, in this order: an exception to raise, a Delivery to return, or a function of the
            batch that does either; None accepts.
    """

    def __init__(
        self, answers: Iterable[Exception | Delivery | Callable[[Batch], Delivery | None] | None] = ()
    ) -> None:
        self._answers = deque(answers)
        self._changed = threading.Condition()  # protects the lists below
        self.batches: list[Batch] = []
        self.attempts: list[str] = []
        self.closed = False

    def send(self, batch: Batch) -> Delivery:
        with self._changed:
            self.attempts.append(batch.batch_id)
            self._changed.notify_all()
        answer = self._answers.popleft() if self._answers else None
        if callable(answer):
            answer = answer(batch)
        if isinstance(answer, Exception):
            raise answer
        with self._changed:
            duplicate = any(known.batch_id == batch.batch_id for known in self.batches)
            if not duplicate:
                self.batches.append(batch)
            self._changed.notify_all()
        return answer if answer is not None else Delivery(0 if duplicate else len(batch.metrics), duplicate)

    def close(self) -> None:
        self.closed = True

    @property
    def metrics(self) -> list[Metric]:
        with self._changed:
            return [metric for batch in self.batches for metric in batch.metrics]

    def wait_for_metrics(self, count: int) -> list[Metric]:
        with self._changed:
            arrived = self._changed.wait_for(lambda: sum(len(b.metrics) for b in self.batches) >= count, WAIT_S)
        assert arrived, f"only {len(self.metrics)} of {count} metrics arrived"
        return self.metrics

    def wait_for_attempts(self, count: int) -> None:
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.attempts) >= count, WAIT_S)
        assert arrived, f"only {len(self.attempts)} of {count} attempts were made"


def only(kind: type[M], collector: Collector, sink: MemorySink) -> M:
    """Deliver, and give the one metric that arrived, which must be of this kind."""
    assert collector.flush()
    (metric,) = sink.metrics
    assert isinstance(metric, kind)
    return metric


class Gate:
    """A sink's answer that waits until the test opens it: a sink that is slow for as long as the test likes."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, batch: Batch) -> None:
        self.entered.set()
        assert self.opened.wait(WAIT_S)


def away(retry_after_s: float | None = None) -> SinkUnavailable:
    return SinkUnavailable("away", retry_after_s)


class Answer(NamedTuple):
    """What the app double answers to one request.

    Args:
        status: HTTP status; 0 closes the connection without an answer.
        body: As it goes out; a dict goes out as JSON.
        headers: More headers.
        wait: Answer only when this is set.
        store: Whether the batch is kept although the answer says otherwise.
    """

    status: int = 202
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    wait: threading.Event | None = None
    store: bool = False


class App:
    """A real HTTP server that stores batches once by their id, like the app; scripted answers come first.

    Use it as a context manager. `port=0` takes any free port.
    """

    def __init__(self, *answers: Answer, port: int = 0) -> None:
        self._answers = deque(answers)
        self._changed = threading.Condition()  # protects the collections below
        self.requests: list[dict[str, Any]] = []
        self.stored: dict[str, list[dict[str, Any]]] = {}
        self.put_answers: deque[Answer] = deque()
        self.puts: list[dict[str, Any]] = []
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                app._answer(self)

            def do_PUT(self) -> None:
                app._answer_put(self)

            def log_message(self, format: str, *args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            request_queue_size = 128  # the default of 5 resets connections when twenty processes come at once
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "App":
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _exc: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for_requests(self, count: int) -> list[dict[str, Any]]:
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.requests) >= count, WAIT_S)
            assert arrived, f"only {len(self.requests)} of {count} requests came"
            return list(self.requests)

    def wait_for_metrics(self, count: int, wait_s: float = 60.0) -> None:
        """Wait until so many are stored; `wait_s` is for processes that have to start first."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: sum(map(len, self.stored.values())) >= count, wait_s)
        assert arrived, f"only {len(self.metrics())} of {count} metrics arrived"

    def metrics(self) -> list[dict[str, Any]]:
        with self._changed:
            return [metric for batch in self.stored.values() for metric in batch]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._changed:
            answer = self._answers.popleft() if self._answers else Answer()
            self.requests.append(
                {
                    "path": handler.path,
                    "headers": dict(handler.headers),
                    "body": body,
                    "client_port": handler.client_address[1],
                }
            )
            self._changed.notify_all()
        if answer.wait is not None:
            answer.wait.wait(WAIT_S)
        duplicate = body["batchId"] in self.stored
        if answer.status == 202 or answer.store:
            with self._changed:
                self.stored.setdefault(body["batchId"], body["metrics"])
                self._changed.notify_all()
        if answer.status == 0:
            handler.close_connection = True
            return
        said = answer.body
        if said is None and answer.status == 202:
            said = {"accepted": 0 if duplicate else len(body["metrics"]), "duplicate": duplicate}
        self._say(handler, answer, said)

    def wait_for_puts(self, count: int) -> list[dict[str, Any]]:
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.puts) >= count, WAIT_S)
            assert arrived, f"only {len(self.puts)} of {count} schedules came"
            return list(self.puts)

    def _answer_put(self, handler: BaseHTTPRequestHandler) -> None:
        """Take a schedule."""
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        with self._changed:
            answer = self.put_answers.popleft() if self.put_answers else Answer(200)
            self.puts.append({"path": handler.path, "headers": dict(handler.headers), "body": body})
            self._changed.notify_all()
        if answer.wait is not None:
            answer.wait.wait(WAIT_S)
        self._say(handler, answer, answer.body)

    @staticmethod
    def _say(handler: BaseHTTPRequestHandler, answer: Answer, said: Any) -> None:
        content = said if isinstance(said, bytes) else json.dumps(said or {}).encode()
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
