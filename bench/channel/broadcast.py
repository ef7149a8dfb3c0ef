"""The `websockets` library's own broadcast, on uvloop, compressing as browsers negotiate it."""

from __future__ import annotations

import asyncio
import threading

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from bench.channel.control import obey
from bench.channel.wire import payload


async def main() -> None:
    """Serve."""
    viewers: set[ServerConnection] = set()
    loop = asyncio.get_running_loop()

    async def handle(connection: ServerConnection) -> None:
        viewers.add(connection)
        try:
            await connection.wait_closed()
        finally:
            viewers.discard(connection)

    def publish(number: int) -> None:
        text = payload(number).decode()
        loop.call_soon_threadsafe(broadcast, viewers, text)

    async with serve(handle, "127.0.0.1", 0, ping_interval=None, backlog=4096) as server:
        port = server.sockets[0].getsockname()[1]
        stats = {"stats": lambda: {"viewers": len(viewers)}}
        threading.Thread(target=obey, args=(port, publish), kwargs=stats).start()
        await asyncio.Future()


if __name__ == "__main__":
    uvloop.run(main())
