"""Iterators that are passed on to the scraper and counted while it consumes them."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from collector.coverage import FieldCounts


class Count:
    """What has come out of an iterator until now.

    Args:
        end: Called once when it ends, with what it raised, if it raised.
    """

    def __init__(self, end: Callable[["Count", BaseException | None], None]) -> None:
        self.items = 0
        self.spent_s = 0.0  # inside of the iterator, not in the code that consumes it
        self.fields = FieldCounts()
        self._end: Callable[[Count, BaseException | None], None] | None = end

    def add(self, item: object, spent_s: float) -> None:
        """Count one."""
        self.items += 1
        self.spent_s += spent_s
        try:
            self.fields.add(item)
        except Exception:  # noqa: BLE001 - somebody's items may raise anything when they are looked at
            return

    def end(self, exc: BaseException | None = None) -> None:
        """Note that no more will come."""
        end, self._end = self._end, None
        if end is not None:
            end(self, exc)


class CountedIterator(Iterator[Any]):
    """An iterator that counts what is taken from it; one that nobody consumes to its end is counted when it goes.

    Args:
        source: Where the items come from; all that this one can't do (`send`, ...) is done by it.
        count: Where they are counted.
    """

    def __init__(self, source: Any, count: Count) -> None:
        self._source = source
        self._count = count

    def __next__(self) -> Any:
        began_s = time.perf_counter()
        try:
            item = next(self._source)
        except StopIteration:
            self._count.spent_s += time.perf_counter() - began_s
            self._count.end()
            raise
        except BaseException as exc:
            self._count.spent_s += time.perf_counter() - began_s
            self._count.end(exc)
            raise
        self._count.add(item, time.perf_counter() - began_s)
        return item

    def close(self) -> None:
        """Consume no more."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
        self._count.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __del__(self) -> None:
        self._count.end()


class CountedAsyncIterator(AsyncIterator[Any]):
    """The same for `async for`."""

    def __init__(self, source: Any, count: Count) -> None:
        self._source = source
        self._count = count

    async def __anext__(self) -> Any:
        began_s = time.perf_counter()
        try:
            item = await self._source.__anext__()
        except StopAsyncIteration:
            self._count.spent_s += time.perf_counter() - began_s
            self._count.end()
            raise
        except BaseException as exc:
            self._count.spent_s += time.perf_counter() - began_s
            self._count.end(exc)
            raise
        self._count.add(item, time.perf_counter() - began_s)
        return item

    async def aclose(self) -> None:
        """Consume no more."""
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()
        self._count.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __del__(self) -> None:
        self._count.end()
