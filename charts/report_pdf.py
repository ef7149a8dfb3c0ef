"""A report on paper: a PDF file whose charts are vector graphics, made without a browser."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import font_roboto
import typst

from charts.errors import ExportError
from charts.export import export_chart
from charts.info import ChartInfo, LineInfo
from charts.report import Block, Chart, Report
from charts.theme import Palette

_TEMPLATE: Final = Path(__file__).with_name("report.typ")
MOST_ROWS: Final = 60
_LONGEST_CELL: Final = 160
_WIDE_PX: Final = (860, 300)
_HALF_PX: Final = (470, 300)
_LONGEST_LEGEND: Final = 64
_UNBROKEN: Final = 16  # so many characters without a place to break are given one


def report_pdf(report: Report, palette: Palette | None = None) -> bytes:
    """Return a report as a PDF file (A4).

    Args:
        report: What to print.
        palette: Which tone each colour key gets.

    Raises:
        ExportError: When a chart can't be drawn or the pages can't be set.
    """
    files: dict[str, bytes] = {}
    content = {
        **{name: breakable(getattr(report, name)) for name in ("title", "range", "made")},
        "filters": [breakable(text) for text in report.filters],
        "notices": [breakable(text) for text in report.notices],
        "stats": [
            {name: breakable(getattr(stat, name)) for name in ("label", "value", "change", "mood")}
            for stat in report.stats
        ],
        "blocks": [_block(block, place, files, palette) for place, block in enumerate(_placed(report.blocks))],
    }
    files["report.json"] = json.dumps(content).encode()
    files["main.typ"] = _TEMPLATE.read_bytes()
    try:
        return bytes(typst.compile(files, font_paths=[str(Path(font_roboto.__file__).with_name("files"))]))  # type: ignore[call-overload]
    except (typst.TypstError, RuntimeError) as exc:
        raise ExportError("pdf", f"the typesetter refused the report: {exc}") from exc


def _placed(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks as the paper takes them: two narrow charts beside each other, a single one over the width."""
    placed = [replace(one, wide=one.wide or _is_crowded(one.info)) if isinstance(one, Chart) else one for one in blocks]
    place = 0
    while place < len(placed):
        one, after = placed[place], placed[place + 1] if place + 1 < len(placed) else None
        if isinstance(one, Chart) and not one.wide:
            if isinstance(after, Chart) and not after.wide:
                place += 1
            else:
                placed[place] = replace(one, wide=True)
        place += 1
    return placed


def _is_crowded(info: ChartInfo) -> bool:
    """Say whether a chart's legend needs the whole width."""
    return isinstance(info, LineInfo) and sum(len(line.name) + 4 for line in info.lines) > _LONGEST_LEGEND


def _block(block: Block, place: int, files: dict[str, bytes], palette: Palette | None) -> dict[str, Any]:
    if isinstance(block, Chart):
        width_px, height_px = _WIDE_PX if block.wide else _HALF_PX
        name = f"chart-{place}.svg"
        bare = replace(block.info, title="")  # type: ignore[type-var]  # every info is a dataclass; the paper has its title
        files[name] = export_chart(bare, "svg", palette=palette, width_px=width_px, height_px=height_px)
        texts = {"title": block.info.title, "subtitle": block.subtitle, "words": block.info.description}
        return {"kind": "chart", "file": name, "wide": block.wide, **_breakable(texts)}
    shown = block.rows[:MOST_ROWS]
    hidden = len(block.rows) - len(shown)
    notes = [*block.notes, *([f"The first {len(shown):,} of {len(block.rows):,} rows."] if hidden > 0 else [])]
    return {
        "kind": "table",
        **_breakable({"title": block.title, "subtitle": block.subtitle}),
        "heads": [breakable(head) for head in block.heads],
        "kinds": list(block.kinds),
        "rows": [[{"text": breakable(cell.text), "mood": cell.mood} for cell in row] for row in shown],
        "notes": [breakable(note) for note in notes],
    }


def _breakable(texts: dict[str, str]) -> dict[str, str]:
    return {name: breakable(text) for name, text in texts.items()}


def breakable(text: str) -> str:
    """Return a text that can be set: on one line, cut, without control characters, with places to break.

    Args:
        text: Any text, lone surrogates included.
    """
    cut = text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"
    clean = cut.encode("utf-8", "replace").decode()
    return _with_breaks("".join(letter if letter.isprintable() else _shown(letter) for letter in clean))


def _shown(letter: str) -> str:
    # Joiners shape emoji and scripts; marks of direction could turn what stands behind them around.
    if letter in "\u00a0\u200c\u200d\u202f":
        return letter
    return " " if unicodedata.category(letter) in ("Cc", "Zs", "Zl") else ""


def _with_breaks(text: str) -> str:
    parts: list[str] = []
    run = 0
    for letter in text:
        parts.append(letter)
        run = 0 if letter in " \u200b" else run + 1
        if run >= _UNBROKEN or (run > 5 and letter in "/?&=_-."):
            parts.append("\u200b")
            run = 0
    return "".join(parts)
