"""`GET /api/export/<name>.<format>`: what a page shows for the same query string, as a file; long tables stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, Protocol, runtime_checkable

from flask import Blueprint, Response, request

from api.answers import problem
from api.sending import Sending
from api.slots import AllTakenError, Slots
from charts.base import ChartAdapter
from charts.csv import csv_chunks, iso_time, sheet_of_info
from charts.errors import ChartError
from charts.info import ChartInfo
from charts.parquet import parquet_chunks
from charts.report import Report
from charts.sheet import Sheet
from charts.theme import Palette
from components.more_filters import active
from components.view import View
from db.clock import now_ms
from db.errors import DatabaseUnavailable, NotAddedUpYet

PICTURES: Final[Mapping[str, str]] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
SHEETS: Final[Mapping[str, str]] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
COME_AGAIN_S: Final = 5


@runtime_checkable
class Table(Protocol):
    """A table to write."""

    def sheet(self) -> Sheet:
        """Return it as it goes into a file."""


class Draw(Protocol):
    """Draws a picture of a chart, as `charts.export.export_chart` does."""

    def __call__(
        self, info: ChartInfo, format: str, *, palette: Palette | None, theme: str, footer: str | None
    ) -> bytes:
        """Return the file's bytes."""


Exporter = Callable[[View, int], ChartInfo | Table]


def export_blueprint(
    exporters: Mapping[str, Exporter],
    adapter: ChartAdapter,
    *,
    draw: Draw | None = None,
    reports: Mapping[str, str] | None = None,
    report: Callable[[View, int], Report] | None = None,
    print_report: Callable[[Report, Palette], bytes] | None = None,
    threads: int = 16,
) -> Blueprint:
    """Make the routes.

    Args:
        exporters: name of a chart or table -> (view, now_ms) -> what to write.
        adapter: knows the colours of the pictures.
        draw: draws them; the adapter itself when None.
        reports: name of a report -> the path of its page, when the query string doesn't say one.
        report: (view, now_ms) -> what a report says.
        print_report: makes a PDF file of it.
        threads: how many answer requests; sending files takes at most a quarter of them, drawing half.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("export", __name__)
    sending, drawing = Slots(threads // 4), Slots(threads // 2)

    @blueprint.get("/api/export/<name>.<extension>")
    def export(name: str, extension: str) -> Response:
        is_report = report is not None and print_report is not None and name in (reports or {})
        if not is_report and name not in exporters:
            return problem(404, f"there is no chart or table named {name[:80]}")
        if is_report and extension != "pdf":
            return problem(404, f"a report is a PDF file: ask for {name}.pdf")
        if extension not in PICTURES and extension not in SHEETS:
            return problem(404, f"an export is a {', '.join((*SHEETS, *PICTURES))} file")
        # `page` says which source's page an export belongs to; everything else is the page's own query string.
        path = request.args.get("page") or (reports or {}).get(name, "/")
        view = View.parse(path, request.query_string.decode("utf-8", "replace"))
        try:
            if is_report and report is not None and print_report is not None:
                body: Iterable[bytes] = [_printed(report, print_report, view, now_ms())]
            else:
                body = _written(name, extension, view, now_ms())
        except (DatabaseUnavailable, NotAddedUpYet) as exc:
            return problem(503, str(exc))
        except AllTakenError as exc:
            answer = problem(429, str(exc))
            answer.headers["Retry-After"] = str(COME_AGAIN_S)
            return answer
        except ChartError as exc:
            return problem(500, str(exc))
        except _NothingThereError as exc:
            return problem(404, str(exc))
        answer = Response(body, mimetype=PICTURES.get(extension) or SHEETS[extension])
        answer.headers["Content-Disposition"] = f'attachment; filename="scrapeboard-{name}.{extension}"'
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"  # a proxy that gathers a long file first would hide its progress
        return answer

    def _printed(
        report: Callable[[View, int], Report],
        print_report: Callable[[Report, Palette], bytes],
        view: View,
        moment_ms: int,
    ) -> bytes:
        with drawing.place():
            try:
                said = report(view, moment_ms)
            except LookupError as exc:
                raise _NothingThereError(str(exc)) from exc
            return print_report(said, adapter.palette)

    def _written(name: str, extension: str, view: View, moment_ms: int) -> Iterable[bytes]:
        exported = exporters[name](view, moment_ms)
        if extension in SHEETS:
            sheet = exported.sheet() if isinstance(exported, Table) else sheet_of_info(exported)
            chunks = csv_chunks(sheet) if extension == "csv" else parquet_chunks(sheet)
            return Sending(name, chunks, sending.take()) if sheet.long else [b"".join(chunks)]
        if isinstance(exported, Table):
            raise _NothingThereError(f"{name} is a table: ask for {name}.csv or {name}.parquet")
        theme: Literal["dark", "light"] = "dark" if request.args.get("theme") == "dark" else "light"
        footer = footer_of(view, moment_ms)
        with drawing.place():
            if draw is None:
                return [adapter.export(exported, extension, theme=theme, footer=footer)]  # type: ignore[arg-type]
            return [draw(exported, extension, palette=adapter.palette, theme=theme, footer=footer)]

    return blueprint


class _NothingThereError(Exception):
    """A table was asked for as a picture, or a report of a page that isn't there."""


def footer_of(view: View, moment_ms: int) -> str:
    """Say which range and filters a picture shows.

    Args:
        view: The range and filters.
        moment_ms: What `now` is, epoch milliseconds.
    """
    range = view.time_range(moment_ms)
    parts = [f"{iso_time(range.start_ms)[:16]} to {iso_time(range.end_ms)[:16]} UTC"]
    parts += [text for text, _ in active(view)]
    return " · ".join(parts)
