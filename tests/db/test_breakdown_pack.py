"""Groups come back from their bytes, all of them or those of some sources."""

from __future__ import annotations

import pytest

from db import breakdown_pack
from db.breakdown import DIMENSIONS
from db.breakdown_pack import packed, unpacked, unpacked_all
from db.cells import HOUR_MS
from db.columns import Names
from db.group_rows import groups_of
from db.labelled_sources import OTHER
from tests.db.samples import NOON_MS
from tests.db.test_breakdowns import START_MS, plain, rows_of, some_metrics


@pytest.mark.parametrize("many", [1, 1_000_000])
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_groups_come_back_from_their_bytes(dimension: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakdown_pack, "_MANY", many)  # from so many on, they aren't compressed
    rows, other = rows_of(some_metrics()), Names()
    other.code("another source was met first")
    groups = groups_of(rows, dimension)  # type: ignore[arg-type]
    back = unpacked(packed(groups, START_MS, rows.source_names), START_MS, other)
    assert plain(back, other) == plain(groups, rows.source_names)
    assert len(groups) > 1


class AllBut:
    """Leaves a source out."""

    def __init__(self, names: Names, other: str) -> None:
        self.names, self.other = names, other

    def code(self, name: str) -> int:
        return OTHER if name == self.other else self.names.code(name)


@pytest.mark.parametrize("many", [1, 1_000_000])
def test_groups_of_other_sources_are_left_out_with_all_texts_still_known(
    many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown_pack, "_MANY", many)
    rows, names = rows_of(some_metrics()), Names()
    middle_ms = NOON_MS - 20 * HOUR_MS
    parts = [groups_of(rows.between(*span), "url") for span in ((0, middle_ms), (middle_ms, 1 << 60))]
    packs = [(START_MS, packed(part, START_MS, rows.source_names)) for part in parts]
    found = unpacked_all(packs, AllBut(names, "source1"))
    own = [part.chosen(part.source != rows.source_names.known("source1")) for part in parts]
    assert [plain(part, names) for part in found] == [plain(part, rows.source_names) for part in own]
    assert all(0 < len(part) < len(whole) for part, whole in zip(found, parts, strict=True))
