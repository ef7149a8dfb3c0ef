"""Receivers of notifications on free ports: a web server and a mail server that do as a test tells them."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import ssl
import threading
from collections.abc import Mapping
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Request(NamedTuple):
    """What a webhook got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return orjson.loads(self.body)


class WebhookReceiver:
    """A web server that answers its script first, then 204; every request is kept.

    Args:
        script: Statuses, or (status, headers); "hang" keeps the connection open without a word, "slow" says 200 and
            then never ends its body.
        tls: A folder in which it makes its own certificate.
    """

    def __init__(self, *script: Any, tls: Path | None = None) -> None:
        self.script = list(script)
        self.requests: list[Request] = []
        self.released = threading.Event()
        self._arrived = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver._arrived:
                    step = receiver.script.pop(0) if receiver.script else 204
                    receiver.requests.append(Request(self.path, dict(self.headers), body))
                    receiver._arrived.notify_all()
                if step == "hang":
                    receiver.released.wait(60)
                    return
                status, headers = step if isinstance(step, tuple) else (200 if step == "slow" else step, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "1000000" if step == "slow" else "0")
                self.end_headers()
                if step == "slow":
                    receiver.released.wait(60)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(own_certificate(tls))
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def wait(self, count: int, timeout_s: float = 60) -> list[Request]:
        """Return all requests as soon as there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.requests) >= count, timeout_s), self.requests
            return list(self.requests)

    def told(self) -> list[str]:
        """Return the ids of all notifications that it got, in their order."""
        return [one["id"] for request in list(self.requests) for one in request.document["notifications"]]


def own_certificate(folder: Path) -> Path:
    """Make a certificate that nobody trusts; returns the file with it and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "own.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


class _AnyPort(Controller):
    """A controller that takes any free port."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


class MailReceiver:
    """A mail server that takes everything, but refuses as its script says first ("550 no such user")."""

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.mails: list[EmailMessage] = []
        self._arrived = threading.Condition()
        # Its own patience is 5 seconds, and whoever loses it leaves an open loop behind.
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=0, ready_timeout=90.0)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail."""
        if self.script:
            return self.script.pop(0)
        with self._arrived:
            self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))  # type: ignore[arg-type]
            self._arrived.notify_all()
        return "250 OK"

    def wait(self, count: int, timeout_s: float = 60) -> list[EmailMessage]:
        """Return all mails as soon as there are so many."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.mails) >= count, timeout_s), self.mails
            return list(self.mails)

    def __enter__(self) -> Self:
        self._controller.start()
        self.port = self._controller.port
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._controller.stop()

    @property
    def url(self) -> str:
        """Its apprise URL, with a password in it."""
        return f"mailto://127.0.0.1:{self.port}?from=board@example.org&to=night@example.org&name=Board"
