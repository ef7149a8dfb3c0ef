"""The bytes that the rest of five minutes' detail rows is kept as, beside db.row_pack: what filters and tables need."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import xxhash
from backports import zstd

from db.chunk import BoolArray, ObjectArray
from db.columns import DetailColumns, Names
from db.error_kinds import kind_of_error
from db.hashes import ENCODING
from db.labels import by_key, have
from db.results import Filter, IntArray

REST = "rest"  # the dimension that these are kept as, beside the breakdowns
_VERSION = 0x0301  # of no other pack (db.row_pack, db.breakdown_pack, db.cells_pack)
_LEVEL = 3
# version, rows, the row pack that it belongs to, bytes of the URLs, of the other texts, of the codes and of the sizes
_HEAD = struct.Struct("<HIQIIII")
_CODES = ("url", "result", "run", "fields")
Result = tuple[bool, int, int, str | None, str | None]  # success, retries, status (-1: none), outcome, kind of error


class RestValues(NamedTuple):
    """All that a pack holds: of each row the numbers of its texts, and these."""

    urls: list[str]
    told: tuple[list[Any], list[Any], list[Any]]  # results, (run, labels), fields: those of the next but the first
    codes: dict[str, npt.NDArray[Any]]  # url, result, run, fields
    data_size: IntArray  # -1 where it isn't known


def packed(rows: DetailColumns, row_pack: bytes) -> bytes:
    """Return what a row pack doesn't hold of its rows; of errors their kinds only.

    Args:
        rows: The rows that the row pack was made of, with the columns `db.detail.PACKED`.
        row_pack: What `db.row_pack.packed` returned.
    """
    url, urls = pd.factorize(rows.url)
    result, results = _results(rows)
    run, runs = _pairs(rows.run_id, rows.labels)
    fields, told = pd.factorize(rows.fields, use_na_sentinel=False)
    # Alike URLs side by side compress best.
    order = sorted(range(len(urls)), key=urls.__getitem__)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    codes = {"url": place[url], "result": result, "run": run, "fields": fields}
    parts = [
        lines_of([urls[index] for index in order]),
        orjson.dumps([results, runs, [_text(text) for text in told.tolist()]]),
        b"".join(_planes(codes[name]) for name in _CODES),
        _planes(rows.data_size + 1),
    ]
    parts = [zstd.compress(part, _LEVEL) for part in parts]
    head = _HEAD.pack(_VERSION, len(rows), xxhash.xxh3_64_intdigest(row_pack), *map(len, parts))
    return b"".join((head, *parts))


class RestPack:
    """What such bytes hold; each part is unpacked when it is asked for.

    Args:
        pack: A result of `packed`.

    Raises:
        ValueError: Bytes of another version, or none of ours.
    """

    def __init__(self, pack: bytes) -> None:
        if len(pack) < _HEAD.size or pack[:2] != _VERSION.to_bytes(2, "little"):
            raise ValueError(f"not the rest of detail rows of version {_VERSION}; rebuild the rollups")
        _, self.size, self._row_pack, *sizes = _HEAD.unpack_from(pack)
        ends = np.cumsum([_HEAD.size, *sizes]).tolist()
        self._parts = [pack[low:high] for low, high in pairwise(ends)]

    def belongs_to(self, row_pack: bytes) -> bool:
        """Say whether it is the rest of the rows of a row pack."""
        return bool(xxhash.xxh3_64_intdigest(row_pack) == self._row_pack)

    def matching(self, filter: Filter) -> BoolArray | None:
        """Return which rows a filter lets through, bool[n]; None when it lets none.

        Args:
            filter: Its sources, kind and result are left to who has the row pack.
        """
        found: dict[str, BoolArray] = {}
        if filter.url_contains or filter.url:
            found["url"] = self._with_urls(filter.url_contains.lower(), filter.url)
        for name, values, test in self._tests(filter):
            found[name] = np.array([test(value) for value in values], np.bool_)
        if not all(own.any() for own in found.values()):
            return None
        mask = np.ones(self.size, dtype=np.bool_)
        for name, own in found.items():
            if not own.all():
                mask &= own[self._codes[name]]
        return mask if mask.any() else None

    def columns(self, chosen: IntArray, outcomes: Names) -> dict[str, Any]:
        """Return the columns of some rows, as `db.columns.DTYPES` has them, and `error_kind`.

        Args:
            chosen: Which rows, int64[m].
            outcomes: Gives outcomes their numbers.
        """
        results, runs, fields = self._told
        result, run = self._codes["result"][chosen], self._codes["run"][chosen]
        _, retries, status, outcome, kind = zip(*results, strict=True) if results else ((),) * 5
        codes = [-1 if name is None else outcomes.code(name) for name in outcome]
        return {
            "retry_count": np.array(retries, np.int32)[result],
            "data_size": self._data_size[chosen],
            "status_code": np.array(status, np.int16)[result],
            "outcome": np.array(codes, np.int32)[result],
            "url": objects(self._urls)[self._codes["url"][chosen]],
            "error_kind": objects(kind)[result],
            "labels": objects([labels for _, labels in runs])[run],
            "fields": objects(fields)[self._codes["fields"][chosen]],
            "run_id": objects([run_id for run_id, _ in runs])[run],
        }

    def values(self) -> RestValues:
        """Return everything at once."""
        return RestValues(self._urls, self._told, self._codes, self._data_size)

    def _tests(self, filter: Filter) -> list[tuple[str, Sequence[Any], Callable[[Any], bool]]]:
        """Return what is to be tested of which distinct values, URLs aside."""
        tests: list[tuple[str, Sequence[Any], Callable[[Any], bool]]] = []
        run = filter.run
        if filter.outcomes or filter.error:
            tests.append(("result", self._told[0], ended_as(filter)))
        if filter.labels or run:
            sets = by_key(filter.labels)
            tests.append(("run", self._told[1], lambda pair: run in ("", pair[0]) and have(pair[1], sets)))
        return tests

    def _with_urls(self, needle: str, url: str) -> BoolArray:
        """Return which of the distinct URLs have a text in them (in small letters), and are a certain one if given."""
        low = self._url_lines.lower()
        # One look through all of them: most texts that are looked for are in few packs.
        if not low.startswith("\\") and (needle not in low or url not in self._url_lines):
            return np.zeros(1, dtype=np.bool_)
        # What is escaped becomes small only after that: the letters around a Σ say which small one it has.
        urls = [text.lower() for text in self._urls] if low.startswith("\\") else of_lines(low)
        own = np.array([needle in text for text in urls], np.bool_) if needle else np.ones(len(urls), np.bool_)
        return own & np.array([text == url for text in self._urls], np.bool_) if url else own

    @cached_property
    def _url_lines(self) -> str:
        return zstd.decompress(self._parts[0]).decode(*ENCODING)

    @property
    def _urls(self) -> list[str]:
        return of_lines(self._url_lines)

    @cached_property
    def _told(self) -> tuple[list[Result], list[tuple[str | None, str | None]], list[str | None]]:
        results, runs, fields = orjson.loads(zstd.decompress(self._parts[1]))
        return results, runs, fields

    @cached_property
    def _data_size(self) -> IntArray:
        return _whole(zstd.decompress(self._parts[3]), self.size)[0].astype(np.int64) - 1

    @cached_property
    def _codes(self) -> dict[str, npt.NDArray[Any]]:
        return dict(zip(_CODES, _whole(zstd.decompress(self._parts[2]), self.size), strict=True))


def ended_as(filter: Filter) -> Callable[[Result], bool]:
    """Return what says whether a row that ended so is let through.

    Args:
        filter: Its outcomes and its error count.
    """
    wanted, error = filter.outcomes, filter.error

    def is_wanted(result: Result) -> bool:
        success, _, _, outcome, kind = result
        ended = ("ok" if success else "failed") if outcome is None else outcome
        return (not wanted or ended in wanted) and (not error or kind == error)

    return is_wanted


def _results(rows: DetailColumns) -> tuple[IntArray, list[Result]]:
    """Return how rows ended: which of the distinct results each had, and these."""
    kinds = np.empty(len(rows), dtype=np.object_)
    failed = np.flatnonzero(~rows.success)
    kinds[failed] = [kind_of_error(error or "") for error in rows.error[failed].tolist()]
    code = pd.factorize(kinds, use_na_sentinel=False)[0].astype(np.int64)
    for column in (rows.success, rows.retry_count, rows.status_code, rows.outcome):
        part, distinct = pd.factorize(column)
        code = pd.factorize(code * max(1, len(distinct)) + part)[0].astype(np.int64)
    first = np.unique(code, return_index=True)[1]
    columns = (rows.success, rows.retry_count, rows.status_code, rows.outcome)
    names = rows.outcome_names
    results: list[Result] = [
        (bool(success), retries, status, None if outcome < 0 else names[outcome], _text(kind))
        for success, retries, status, outcome, kind in zip(
            *(column[first].tolist() for column in columns), kinds[first].tolist(), strict=True
        )
    ]
    return code, results


def _pairs(one: ObjectArray, other: ObjectArray) -> tuple[IntArray, list[tuple[str | None, str | None]]]:
    """Return which of the distinct pairs of texts each row has, and these."""
    ones, one_texts = pd.factorize(one, use_na_sentinel=False)
    others, other_texts = pd.factorize(other, use_na_sentinel=False)
    size = max(1, len(other_texts))
    distinct, code = np.unique(ones.astype(np.int64) * size + others, return_inverse=True)
    pairs = [(_text(one_texts[key // size]), _text(other_texts[key % size])) for key in distinct.tolist()]
    return code.astype(np.int64, copy=False), pairs


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None  # pandas may say "none" in its own way


def lines_of(texts: Sequence[str]) -> bytes:
    """Return texts as one, a line each; backslashes and line ends in them are escaped where one has a line end.

    Args:
        texts: Any.
    """
    escaped = any("\n" in text for text in texts)
    if escaped:
        texts = [text.replace("\\", "\\\\").replace("\n", "\\n") for text in texts]
    return ("\n".join(("\\" if escaped else "", *texts))).encode(*ENCODING)


def of_lines(lines: str) -> list[str]:
    """Return the texts that `lines_of` put together.

    Args:
        lines: Its result, decoded.
    """
    first, *texts = lines.split("\n")
    if first:
        return [re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else "\\", text) for text in texts]
    return texts


def objects(values: Sequence[Any]) -> ObjectArray:
    """Return texts, or none, as an array.

    Args:
        values: The texts.
    """
    found = np.empty(len(values), dtype=np.object_)
    found[:] = values
    return found


def _planes(values: IntArray) -> bytes:
    """Return numbers from 0 on as bytes: how many each takes, then the lowest of each, the next of each..."""
    most = int(values.max(initial=0))
    width = next(size for size in (1, 2, 4, 8) if most < 1 << (8 * size - (size == 8)))
    low_first = values.astype(f"<u{width}").view(np.uint8).reshape(len(values), width)
    return bytes((width,)) + low_first.T.tobytes()


def _whole(raw: bytes, size: int) -> list[npt.NDArray[Any]]:
    """Return the numbers of some calls of `_planes` one after the other, of so many each."""
    found, at = [], 0
    while at < len(raw):
        width = raw[at]
        planes = np.frombuffer(raw, np.uint8, size * width, at + 1).reshape(width, size)
        found.append(np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(size))
        at += 1 + size * width
    return found
