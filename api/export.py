"""`GET /api/export/<name>.<format>`: what a page shows for the same query string, as CSV, PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from flask import Blueprint, Response, request

from api.answers import problem
from charts.base import ChartAdapter
from charts.csv import iso_time, table_csv
from charts.errors import ChartError
from charts.info import ChartInfo
from components.more_filters import active
from components.view import View
from db.clock import now_ms
from db.errors import DatabaseUnavailable

PICTURES: Final[Mapping[str, str]] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}


@runtime_checkable
class Table(Protocol):
    """Rows to write: c column names with units, and rows of c values."""

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns."""

    @property
    def rows(self) -> Sequence[Sequence[object]]:
        """The rows."""


Exporter = Callable[[View, int], ChartInfo | Table]


def export_blueprint(exporters: Mapping[str, Exporter], adapter: ChartAdapter) -> Blueprint:
    """Make the route.

    Args:
        exporters: name of a chart or table -> (view, now_ms) -> what to write.
        adapter: draws the pictures.

    Returns:
        A Flask blueprint.
    """
    blueprint = Blueprint("export", __name__)

    @blueprint.get("/api/export/<name>.<extension>")
    def export(name: str, extension: str) -> Response:
        exporter = exporters.get(name)
        if exporter is None:
            return problem(404, f"there is no chart or table named {name[:80]}")
        if extension != "csv" and extension not in PICTURES:
            return problem(404, "an export is a csv, png, svg or pdf file")
        # `page` says which source's page an export belongs to; everything else is the page's own query string.
        view = View.parse(request.args.get("page", "/"), request.query_string.decode("utf-8", "replace"))
        moment_ms = now_ms()
        try:
            exported = exporter(view, moment_ms)
            if isinstance(exported, Table):
                if extension != "csv":
                    return problem(404, f"{name} is a table: ask for {name}.csv")
                data, mimetype = table_csv(exported.columns, exported.rows), "text/csv"
            else:
                theme = "dark" if request.args.get("theme") == "dark" else "light"
                data = adapter.export(exported, extension, theme=theme, footer=_footer(view, moment_ms))  # type: ignore[arg-type]
                mimetype = PICTURES.get(extension, "text/csv")
        except DatabaseUnavailable as exc:
            return problem(503, str(exc))
        except ChartError as exc:
            return problem(500, str(exc))
        answer = Response(data, mimetype=mimetype)
        answer.headers["Content-Disposition"] = f'attachment; filename="scrapeboard-{name}.{extension}"'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return blueprint


def _footer(view: View, moment_ms: int) -> str:
    """Say which range and filters a picture shows."""
    range = view.time_range(moment_ms)
    parts = [f"{iso_time(range.start_ms)[:16]} to {iso_time(range.end_ms)[:16]} UTC"]
    parts += [text for text, _ in active(view)]
    return " · ".join(parts)
