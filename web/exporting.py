"""`python app.py export`: what `/api/export` serves, without a server, into a file or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from flask import Flask

from api.export import export_blueprint
from charts import make_adapter
from charts.export import export_chart
from charts.report_pdf import report_pdf
from db.queries import Queries
from db.store import Store
from web.errors import ExportRefused
from web.router import PageSource


def export(
    queries: Queries,
    store: Store,
    charts: str,
    name: str,
    query: str,
    output: Path | None,
    progress: Callable[[str, int, int], None],
) -> int:
    """Write one export.

    Args:
        queries: Who answers.
        store: Says whether the database can be asked.
        charts: The chart library's name.
        name: `NAME.FORMAT`.
        query: The page's query string, with or without its question mark.
        output: The file, None for standard output; it is there only when it is whole.
        progress: Told how many bytes are written.

    Returns:
        How many bytes were written.

    Raises:
        ExportRefused: There is no such export, or the database can't be asked.
    """
    adapter = make_adapter(charts)
    source = PageSource(queries, adapter, store, database="")
    app = Flask("scrapeboard-export")
    app.register_blueprint(
        export_blueprint(
            source.exporters(),
            adapter,
            draw=export_chart,
            reports=source.reports(),
            report=source.report,
            print_report=report_pdf,
        )
    )
    adapter.know_sources(queries.source_names())
    answer = app.test_client().get(f"/api/export/{name}?{query.removeprefix('?')}", buffered=False)
    try:
        if answer.status_code != 200:
            raise ExportRefused((answer.get_json(silent=True) or {}).get("error") or f"there is no export {name}")
        if output is None:
            try:
                return _copy(answer.iter_encoded(), sys.stdout.buffer, name, progress)
            except BrokenPipeError as exc:
                raise ExportRefused("nobody reads standard output any more") from exc
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as file:
                written = _copy(answer.iter_encoded(), file, name, progress)
            part.replace(output)
        except OSError as exc:
            raise ExportRefused(f"{output} can't be written: {exc.strerror or exc}") from exc
        finally:
            part.unlink(missing_ok=True)
        return written
    finally:
        answer.close()


def _copy(chunks: Iterable[bytes], file: IO[bytes], name: str, progress: Callable[[str, int, int], None]) -> int:
    written = 0
    for chunk in chunks:
        file.write(chunk)
        written += len(chunk)
        progress(name, written, 0)
    file.flush()
    return written
