"""A small shop with real trouble, served from loopback: what the integrations' examples scrape.

Run it alone: `python -m examples.shop --port 8061`, then open http://127.0.0.1:8061/. The start page leads to the pages
of a catalogue; some are fine, each of the others is always in the same trouble (`PLAN`).
"""

import argparse
import os
import socket
import struct
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from examples.site import CHALLENGE

PRODUCTS_A_PAGE = 6
SILENCE_S = 20.0  # longer than any scraper of ours waits


class Mishap(Enum):
    """What is wrong with a page of the catalogue."""

    NONE = "none"
    BUSY = "busy"  # 503, the next attempt succeeds
    RATE_LIMITED = "rate_limited"  # 429, the next attempt succeeds
    DOWN = "down"  # 500, always
    RESET = "reset"  # the connection is reset, always
    SILENT = "silent"  # no answer, ever
    LOOP = "loop"  # redirects to itself
    MOVED = "moved"  # redirects to a page that is there
    CHALLENGE = "challenge"  # 200, but the page asks whether the visitor is human
    FORBIDDEN = "forbidden"  # 403
    GONE = "gone"  # 404
    EMPTY = "empty"  # 200, and no product on it
    UNPRICED = "unpriced"  # 200, but every second product has no price


# Page number -> what is wrong with it; every other page is fine.
PLAN = {
    2: Mishap.BUSY, 3: Mishap.RESET, 5: Mishap.CHALLENGE, 6: Mishap.LOOP, 8: Mishap.SILENT, 9: Mishap.GONE,
    10: Mishap.EMPTY, 11: Mishap.RATE_LIMITED, 12: Mishap.MOVED, 14: Mishap.UNPRICED, 15: Mishap.FORBIDDEN,
    16: Mishap.DOWN,
}  # fmt: skip
PAGES = 18


@dataclass(frozen=True, slots=True)
class Request:
    """One request for a page of the catalogue, and how it was answered.

    Args:
        client: The User-Agent.
        path: As requested, query left out.
        status: The HTTP status; None when there was no answer.
        products: How many products were on the page.
        prices: How many of them had a price.
    """

    client: str
    path: str
    status: int | None
    products: int
    prices: int


class Shop(ThreadingHTTPServer):
    """Serves the shop; a context manager that serves while it is open.

    Args:
        port: Where to listen on 127.0.0.1; 0 takes a free port.
        pages: Length of the catalogue.
        plan: Page number to what is wrong with it.
        silence_s: How long a silent request is held before the connection is closed, in seconds.
    """

    daemon_threads = False  # closing waits for every request thread: nothing is left behind
    request_queue_size = 64

    def __init__(
        self, *, port: int = 0, pages: int = PAGES, plan: dict[int, Mishap] = PLAN, silence_s: float = SILENCE_S
    ) -> None:
        super().__init__(("127.0.0.1", port), ShopHandler)
        self.pages = pages
        self.plan = plan
        self.silence_s = silence_s
        self.closing = threading.Event()
        self._requests: list[Request] = []
        self._seen: Counter[tuple[str, str]] = Counter()
        self._connections: set[socket.socket] = set()
        self._changed = threading.Lock()  # protects the three above, which every request thread changes
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="shop")

    @property
    def url(self) -> str:
        """Return the shop's root without a trailing slash: `http://127.0.0.1:<port>`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requests(self, client: str) -> dict[str, list[Request]]:
        """Return a client's requests by path, paths and requests in the order in which they came."""
        by_path: dict[str, list[Request]] = {}
        with self._changed:
            for request in self._requests:
                if request.client == client:
                    by_path.setdefault(request.path, []).append(request)
        return by_path

    def remember(self, request: Request) -> None:
        """Keep a request, before it is answered: whoever has the answer finds it in `requests`."""
        with self._changed:
            self._requests.append(request)

    def times_before(self, client: str, path: str) -> int:
        """Say how often a client has asked for a path before, and count once more."""
        with self._changed:
            self._seen[client, path] += 1
            return self._seen[client, path] - 1

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Accept a connection and remember it: browsers open some that they never use, which the end must cut."""
        connection, address = super().get_request()
        with self._changed:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection and forget it."""
        with self._changed:
            self._connections.discard(request)
        super().shutdown_request(request)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self._thread.join()
        with self._changed:
            for connection in self._connections:
                with suppress(OSError):  # the visitor was faster
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class ShopHandler(BaseHTTPRequestHandler):
    """Answers one request, and closes the connection: so no client can send one again unseen."""

    server: Shop
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True  # head and body are two writes; with Nagle the second waits 40 ms

    def do_GET(self) -> None:
        """Answer with the page, or with what is wrong with it."""
        path = urlsplit(self.path).path
        if path == "/":
            links = "".join(f'<li><a href="/catalogue/{n}">Page {n}</a></li>' for n in range(1, self.server.pages + 1))
            self._send(200, _page("Shop", f"<ul>{links}</ul>"))
            return
        number = path.removeprefix("/catalogue/")
        if not path.startswith("/catalogue/") or not number.isdigit():
            self._send(404, _page("Not found", ""))  # a browser's favicon: nobody's page
            return
        self._answer(path, int(number), self.server.plan.get(int(number), Mishap.NONE))

    def do_HEAD(self) -> None:
        """Answer as to GET, without the body."""
        self.do_GET()

    def _answer(self, path: str, number: int, mishap: Mishap) -> None:
        client = self.headers.get("User-Agent", "")
        before = self.server.times_before(client, path)
        if before and mishap in (Mishap.BUSY, Mishap.RATE_LIMITED):
            mishap = Mishap.NONE
        status, body, location = _content(number, mishap)
        products, prices = body.count(b"<article"), body.count(b'class="price"')
        self.server.remember(Request(client, path, status, products, prices))
        if mishap is Mishap.RESET:
            self._reset()
        elif status is None:
            self.server.closing.wait(self.server.silence_s)
            self.close_connection = True
        else:
            self._send(status, body, location)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())  # not close(): the reader and writer hold the descriptor open

    def _send(self, status: int, body: bytes, location: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: `Shop.requests` is the log."""


def _content(number: int, mishap: Mishap) -> tuple[int | None, bytes, str | None]:
    """Return status (None = no answer), body and Location of a page."""
    match mishap:
        case Mishap.RESET | Mishap.SILENT:
            return None, b"", None
        case Mishap.BUSY:
            return 503, _page("Too many visitors", ""), None
        case Mishap.RATE_LIMITED:
            return 429, _page("Too many requests", ""), None
        case Mishap.DOWN:
            return 500, _page("Something went wrong", ""), None
        case Mishap.FORBIDDEN:
            return 403, _page("Forbidden", ""), None
        case Mishap.GONE:
            return 404, _page("Not found", ""), None
        case Mishap.LOOP:
            return 302, b"", f"/catalogue/{number}"
        case Mishap.MOVED:
            return 301, b"", "/catalogue/100"
        case Mishap.CHALLENGE:
            return 200, CHALLENGE, None
        case _:
            return 200, _catalogue(number, mishap), None


def _catalogue(number: int, mishap: Mishap) -> bytes:
    products = []
    for place in range(0 if mishap is Mishap.EMPTY else PRODUCTS_A_PAGE):
        price = f'<p class="price">{number}.{place}0</p>'
        if mishap is Mishap.UNPRICED and place % 2:
            price = ""
        products.append(f'<article class="product"><h2>Product {number}-{place}</h2>{price}</article>')
    return _page(f"Catalogue, page {number}", f"<main>{''.join(products)}</main>")


def _page(title: str, content: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>{content}</body></html>\n"
    ).encode()


def main() -> None:
    """Serve the shop until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve a small shop with real trouble from loopback.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    with Shop(port=parser.parse_args().port) as shop:
        print(f"{shop.pages} pages at {shop.url}/; Ctrl+C ends it", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("closed")


if __name__ == "__main__":
    main()
