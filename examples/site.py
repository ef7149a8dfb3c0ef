"""A web site with real pages and real trouble, served from loopback for scrapers to try themselves on.

Run it alone: `python -m examples.site --port 8060`, then open http://127.0.0.1:8060/ or crawl it. Every mirror has the
same pages: `/calm/`, `/everyday/` (also plain `/`) and `/rough/` differ in how much goes wrong (see `trouble.py`).
"""

import argparse
import mimetypes
import socket
import sys
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from examples.docs import DocsMissingError, find_docs, list_pages
from examples.trouble import PROFILES, Fate, Profile, Trouble, decide

DEFAULT_MIRROR = "everyday"
STALL_S = 20.0  # longer than any scraper of ours waits
RETRY_AFTER_S = 1
CHALLENGE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Just a moment...</title></head>
<body><main><h1>Verify you are human</h1>
<p>This site checks that the connection is secure before you go on.</p>
<form method="post" action="/challenge"><label><input type="checkbox" name="human"> I am human</label></form>
</main></body></html>
"""
GONE = b"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>404 Not Found</title></head>
<body><h1>Not Found</h1><p>The page that you asked for isn't here (any more).</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page (not for a style sheet or an image), and how it was answered.

    Args:
        client: the User-Agent; attempts are counted for each client apart.
        path: as requested, query left out.
        attempt: 1 for the client's first request for this path.
        trouble: what went wrong on purpose.
        status: the HTTP status; None when no answer was given.
        bytes_sent: length of the body that was sent.
    """

    client: str
    path: str
    attempt: int
    trouble: Trouble
    status: int | None
    bytes_sent: int


class DocSite(ThreadingHTTPServer):
    """Serves a directory of HTML with trouble mixed in; a context manager that serves while it is open.

    Args:
        root: the directory with the HTML.
        port: where to listen on 127.0.0.1; 0 takes a free port.
        seed: decides which page and which attempt meets which trouble.
        profiles: a mirror's name (the first part of the path) to its troubles.
        stall_s: how long a stalled request is held before the connection is closed, seconds.
        keep_visits: how many of the newest visits `visits` remembers.
    """

    daemon_threads = False  # closing waits for every request thread: nothing is left behind
    request_queue_size = 64

    def __init__(
        self,
        root: Path,
        *,
        port: int = 0,
        seed: int = 2,
        profiles: Mapping[str, Profile] = PROFILES,
        stall_s: float = STALL_S,
        keep_visits: int = 100_000,
    ) -> None:
        super().__init__(("127.0.0.1", port), DocHandler)
        self.root = root.resolve()
        self.pages = list_pages(self.root)
        self.seed = seed
        self.profiles = profiles
        self.stall_s = stall_s
        self.closing = threading.Event()
        self.hang_ups = 0
        self._visits: deque[Visit] = deque(maxlen=keep_visits)
        self._served: Counter[Trouble] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._connections: set[socket.socket] = set()
        # Protects the five fields above, which every request thread changes; never held during I/O.
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="doc-site")

    @property
    def url(self) -> str:
        """Return the site's root without a trailing slash: `http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def visits(self, client: str | None = None) -> list[Visit]:
        """Return the newest visits in the order in which they came, of one client or of all."""
        with self._lock:
            return [visit for visit in self._visits if client is None or visit.client == client]

    def served(self) -> Counter[Trouble]:
        """Return how many visits met which trouble since the start."""
        with self._lock:
            return self._served.copy()

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving: cut every open connection, end every thread."""
        self.closing.set()
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self.hang_ups += 1  # the client was faster
        self.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fate(self, profile: Profile, page: str, attempt: int) -> Fate:
        """Decide what a client meets that asks for a page for the nth time; to be overridden for other weather."""
        return decide(profile, seed=self.seed, page=page, attempt=attempt)

    def next_attempt(self, client: str, path: str) -> int:
        """Count a client's request for a path; return its number, from 1."""
        with self._lock:
            self._attempts[client, path] += 1
            return self._attempts[client, path]

    def remember(self, visit: Visit) -> None:
        """Keep a visit for `visits` and `served`; called before the answer goes out, so a client never outruns it."""
        with self._lock:
            self._visits.append(visit)
            self._served[visit.trouble] += 1

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection and remember it, so that `close` can end one that idles in keep-alive."""
        connection, address = super().get_request()
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection and forget it."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]
    ) -> None:
        """Count visitors who hang up in the middle; report anything else as usual."""
        if isinstance(sys.exception(), ConnectionError | TimeoutError):
            with self._lock:
                self.hang_ups += 1
            return
        super().handle_error(request, client_address)


class DocHandler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    server: DocSite
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; with Nagle the second waits 40 ms

    def do_GET(self) -> None:
        """Answer with the file, or with what the page's fate says."""
        mirror, profile, page = self._locate(urlsplit(self.path).path)
        if page.endswith((".html", ".xml")):
            self._answer_page(mirror, profile, page)
        else:
            content = self._read(page)
            self._send(200 if content is not None else 404, content or GONE, of=page, cache=True)

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self.do_GET()

    def _answer_page(self, mirror: str, profile: Profile, page: str) -> None:
        path = urlsplit(self.path).path
        client = self.headers.get("User-Agent", "")
        attempt = self.server.next_attempt(client, path)
        fate = self.server.fate(profile, page, attempt)
        content = self._sitemap(mirror) if page == "sitemap.xml" else self._read(page)
        if content is None:  # a broken link of the real pages
            fate = Fate(Trouble.REMOVED, fate.delay_ms)
        status, body, headers = _answer(fate.trouble, content or b"")
        sent = len(body) // 2 if fate.trouble is Trouble.CUT else len(body)
        if status is None or self.command == "HEAD":
            sent = 0
        # Before the answer: whoever has read it can rely on finding the visit in the log.
        self.server.remember(Visit(client, path, attempt, fate.trouble, status, sent))
        if self.server.closing.wait(self.server.stall_s if status is None else fate.delay_ms / 1000):
            status = None  # the site is closing; half an answer would only look like more trouble
        if status is None:
            self.close_connection = True
            return
        self._send(status, body, of=page if status == 200 else "error.html", headers=headers, most_bytes=sent)

    def _locate(self, path: str) -> tuple[str, Profile, str]:
        """Split a path into the mirror's prefix ("" for none), its profile and the page below it."""
        first, _, rest = unquote(path).removeprefix("/").partition("/")
        if first in self.server.profiles:
            mirror, page = f"/{first}", rest
        else:
            mirror, page = "", unquote(path).removeprefix("/")
        profile = self.server.profiles[mirror[1:] or DEFAULT_MIRROR]
        return mirror, profile, f"{page}index.html" if not page or page.endswith("/") else page

    def _read(self, page: str) -> bytes | None:
        if "\0" in page:
            return None
        file = (self.server.root / page).resolve()
        if not file.is_relative_to(self.server.root) or not file.is_file():
            return None
        return file.read_bytes()

    def _sitemap(self, mirror: str) -> bytes:
        entries = (f"<url><loc>{escape(f'{self.server.url}{mirror}/{page}')}</loc></url>" for page in self.server.pages)
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        return (head + "\n".join(entries) + "\n</urlset>\n").encode()

    def _send(
        self,
        status: int,
        body: bytes,
        *,
        of: str,
        headers: Mapping[str, str] | None = None,
        cache: bool = False,
        most_bytes: int | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", mimetypes.guess_type(of)[0] or "application/octet-stream")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=3600" if cache else "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(body[:most_bytes])
        if most_bytes is not None and most_bytes < len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: `DocSite.visits` is the log."""


def _answer(trouble: Trouble, content: bytes) -> tuple[int | None, bytes, dict[str, str]]:
    """Return status (None = silence), body and extra headers of the answer to one request."""
    match trouble:
        case Trouble.REMOVED:
            return 404, GONE, {}
        case Trouble.HUNG | Trouble.STALLED:
            return None, b"", {}
        case Trouble.UNAVAILABLE:
            return 503, b"Service unavailable: too many visitors, please try again.\n", {}
        case Trouble.RATE_LIMITED:
            return 429, b"Too many requests.\n", {"Retry-After": str(RETRY_AFTER_S)}
        case Trouble.EMPTY:
            return 200, b"", {}
        case Trouble.CHALLENGE:
            return 200, CHALLENGE, {}
        case Trouble.REDESIGNED:
            return 200, content.replace(b'<div class="body" role="main">', b'<div class="content-v2" role="main">'), {}
        case _:
            return 200, content, {}


def main() -> None:
    """Serve the documentation until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve real documentation with real trouble from loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--seed", type=int, default=2, help="another seed, other trouble")
    arguments = parser.parse_args()
    try:
        root = find_docs()
    except DocsMissingError as exc:
        raise SystemExit(str(exc)) from exc
    with DocSite(root, port=arguments.port, seed=arguments.seed) as site:
        print(f"{len(site.pages)} pages at {site.url}/ (mirrors: {', '.join(site.profiles)}); Ctrl+C ends it")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(dict(site.served()))


if __name__ == "__main__":
    main()
