"""Turn metrics into table rows: columns, values, and the statements that insert many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from pymysql.err import ProgrammingError
from sqlalchemy.engine import Connection

from collector import fields
from collector.events import Metric, PageNavigation, PageScrape, SchedulerRun
from db.item_fields import fields_text
from db.labels import labels_text
from db.literals import insert_text

Row = tuple[Any, ...]

BATCH_TABLE = "ingest_batches"
PAGE_TABLE = "scraper_page_performance"
PAGE_COLUMNS = (
    "scraper_source", "metric_type", "page_url", "domain", "navigation_duration_ms", "retry_count",
    "scrape_duration_ms", "items_extracted", "data_size", "success", "error", "status_code", "outcome", "run_id",
    "created_at", "labels", "fields",
)  # fmt: skip
# What most metrics have: a NULL costs MySQL/MariaDB as much to read as any other value.
PLAIN_COLUMNS = PAGE_COLUMNS[:-2]
SCHEDULER_TABLE = "scheduler_metrics"
SCHEDULER_COLUMNS = (
    "scheduler_name", "scraper_source", "execution_duration_ms", "items_processed", "success", "error", "run_id",
    "created_at",
)  # fmt: skip
_WEB = ("https:", "http:")
_MAX_STATEMENT_ROWS = 1000
_MAX_STATEMENT_CHARS = 500_000
# What a statement is at most: 4 bytes for each character (an escaped quote has 2), and so much for a row's numbers.
_BYTES_PER_CHAR = 4
_BYTES_PER_ROW = 400
# SQLite: rows of one statement, largest first; older libraries take 999 variables.
_BLOCK_ROWS = (50, 10, 1)
_MAX_VARIABLES = 999


class BadRow(ValueError):  # noqa: N818 - it names the row, not a fault of the program
    """A metric with a value that no table can hold.

    Args:
        field: The wire name of the field.
        message: What is accepted there.
    """

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message
        super().__init__(f"{field}: {message}")


def page_row(metric: PageNavigation | PageScrape) -> Row:
    """Return the values of one detail row, in the order of PAGE_COLUMNS.

    Args:
        metric: A navigation or a scrape.

    Raises:
        BadRow: The duration isn't a number that can be kept.
    """
    columns, (row,) = page_rows([metric])
    return row if columns is PAGE_COLUMNS else (*row, None, None)


def page_rows(metrics: Sequence[PageNavigation | PageScrape]) -> tuple[tuple[str, ...], list[Row]]:
    """Return detail rows without the columns that all of them leave empty.

    Args:
        metrics: Navigations and scrapes.

    Returns:
        (PAGE_COLUMNS or PLAIN_COLUMNS, a row of their values for each metric).

    Raises:
        BadRow: A duration isn't a number that can be kept.
    """
    # The store's busiest lines.
    most_url, most_error, most_ms = fields.MAX_URL_CHARS, fields.MAX_ERROR_CHARS, float(fields.MAX_DURATION_MS)
    rows: list[Row] = []
    plain = True
    for metric in metrics:
        url, error = metric.url, metric.error
        if len(url) > most_url:
            url = url[:most_url]
        if error is not None and len(error) > most_error:
            error = error[:most_error]
        if isinstance(metric, PageNavigation):
            duration_ms = metric.navigation_duration_ms
            if not 0.0 <= duration_ms <= most_ms:  # NaN too
                raise BadRow("navigationDurationMs", f"must be 0 to {fields.MAX_DURATION_MS} milliseconds")
            rows.append((
                metric.scraper_source, "navigation", url, domain_of(url), duration_ms, metric.retry_count,
                None, None, None, metric.success, error, metric.status_code, None, metric.run_id,
                metric.recorded_at_ms,
            ))  # fmt: skip
            plain = plain and metric.labels is None
        else:
            duration_ms = metric.scrape_duration_ms
            if not 0.0 <= duration_ms <= most_ms:
                raise BadRow("scrapeDurationMs", f"must be 0 to {fields.MAX_DURATION_MS} milliseconds")
            rows.append((
                metric.scraper_source, "scrape", url, domain_of(url), None, None,
                duration_ms, metric.items_extracted, metric.data_size, metric.success, error, None, metric.outcome,
                metric.run_id, metric.recorded_at_ms,
            ))  # fmt: skip
            plain = plain and metric.labels is None and metric.fields is None
    if plain:
        return PLAIN_COLUMNS, rows
    return PAGE_COLUMNS, [(*row, *_told(metric)) for row, metric in zip(rows, metrics, strict=True)]


def scheduler_row(metric: SchedulerRun) -> Row:
    """Return the values of one scheduler row, in the order of SCHEDULER_COLUMNS.

    Args:
        metric: A scheduler run.

    Raises:
        BadRow: The duration isn't a number that can be kept.
    """
    duration_ms = metric.execution_duration_ms
    if not 0 <= duration_ms <= fields.MAX_DURATION_MS:
        raise BadRow("executionDurationMs", f"must be 0 to {fields.MAX_DURATION_MS} milliseconds")
    error = metric.error
    if error is not None:
        error = error[: fields.MAX_ERROR_CHARS]
    return (
        metric.scheduler_name, metric.scraper_source, duration_ms, metric.items_processed, metric.success, error,
        metric.run_id, metric.recorded_at_ms,
    )  # fmt: skip


def repaired(metric: Metric) -> Metric:
    """Return the metric with what no database takes replaced: lone surrogates and NUL become U+FFFD, long text is cut.

    Args:
        metric: Any metric; one that was validated comes back unchanged.
    """

    def text(value: str | None, most: int) -> str | None:
        return None if value is None else fields.clean(value)[:most]

    common: dict[str, Any] = {
        "error": text(metric.error, fields.MAX_ERROR_CHARS),
        "run_id": text(metric.run_id, fields.MAX_RUN_ID_CHARS),
    }
    if isinstance(metric, SchedulerRun):
        return replace(
            metric,
            scheduler_name=fields.clean(metric.scheduler_name)[: fields.MAX_NAME_CHARS],
            scraper_source=text(metric.scraper_source, fields.MAX_NAME_CHARS),
            **common,
        )
    common |= {
        "scraper_source": text(metric.scraper_source, fields.MAX_NAME_CHARS),
        "url": text(metric.url, fields.MAX_URL_CHARS),
        "labels": metric.labels and {fields.clean(key): fields.clean(value) for key, value in metric.labels.items()},
    }
    if isinstance(metric, PageScrape):
        told = metric.fields and {fields.clean(name): had for name, had in metric.fields.items()}
        return replace(metric, outcome=text(metric.outcome, fields.MAX_OUTCOME_CHARS), fields=told, **common)
    return replace(metric, **common)


def _told(metric: PageNavigation | PageScrape) -> tuple[str | None, str | None]:
    """Return the texts of what a metric's sender says of it: labels and fields."""
    told = metric.fields if isinstance(metric, PageScrape) else None
    return (
        None if metric.labels is None else labels_text(metric.labels),
        None if told is None else fields_text(told),
    )


def domain_of(url: str) -> str | None:
    """Return the host of a URL in lower case, without port and credentials; None when there is none.

    Args:
        url: Any text.
    """
    parts = url.split("/", 3)
    if len(parts) > 2 and not parts[1] and parts[0] in _WEB:  # as good as always
        return _host(parts[2])
    start = url.find("://")
    if start < 0:
        return None
    start += 3
    end = url.find("/", start)
    return _host(url[start:] if end < 0 else url[start:end], url[: start - 2])


@lru_cache(maxsize=4096)
def _host(place: str, scheme: str = "http:") -> str | None:
    origin = f"{scheme}//{place}"
    try:
        host = urlsplit(origin).hostname
    except ValueError:  # a bracket that isn't closed, for instance: the URL is kept, it just has no domain
        return None
    return host[:255] if host else None


def insert_many(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row], *, replace: bool = False
) -> list[tuple[int, int]]:
    """Insert rows in as few statements as the database likes best.

    Args:
        connection: An open transaction.
        table: A table name of ours.
        columns: Its columns, in the order of the values.
        rows: The rows; nothing happens when there are none.
        replace: Put rows in the place of those with the same key, which are an error otherwise.

    Returns:
        On MySQL/MariaDB (first id that was given, rows) for each statement; nothing on SQLite.

    Raises:
        sqlalchemy.exc.DBAPIError: What the driver raised.
        BadRow: A value has no form in SQL (MySQL/MariaDB).
    """
    if not rows:
        return []
    verb = "REPLACE" if replace else "INSERT"
    if connection.dialect.name == "sqlite":
        _insert_blocks(connection, f"{verb} INTO {table} ({', '.join(columns)}) VALUES ", len(columns), rows)
        return []
    # One statement with all rows: one round trip, one parse.
    driver: Any = connection.connection.driver_connection
    numbered: list[tuple[int, int]] = []
    for some in _statements(rows, _max_statement_chars(connection)):
        try:
            statement = insert_text(verb, table, columns, some, driver.escape)
        except ProgrammingError as exc:  # a number that isn't one
            raise BadRow("metric", str(exc)) from exc
        result = connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        numbered.append((result.lastrowid, len(some)))
    return numbered


def _insert_blocks(connection: Connection, head: str, width: int, rows: Sequence[Row]) -> None:
    """Insert on SQLite: prepared statements of a few sizes, each of which gives up the GIL once."""
    # The driver gives it up for every execution: with a row each, a thread beside costs a thousand waits a batch.
    marks = "(" + ", ".join("?" * width) + ")"
    start = 0
    for size in _BLOCK_ROWS:
        if size > 1 and size * width > _MAX_VARIABLES:
            continue
        blocks, left = divmod(len(rows) - start, size)
        if blocks:
            end = len(rows) - left
            values = rows[start:end]
            if size > 1:
                values = [tuple(chain.from_iterable(rows[at : at + size])) for at in range(start, end, size)]
            connection.exec_driver_sql(head + ", ".join([marks] * size), list(values))
            start = end


def packet_bytes(connection: Connection) -> int:
    """Return how long a statement the server takes, in bytes; one that is too long would cost the connection.

    Args:
        connection: To MySQL/MariaDB.
    """
    most: int | None = connection.info.get("packet_bytes")
    if most is None:
        most = connection.info["packet_bytes"] = int(
            connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one()
        )
    return most


def _max_statement_chars(connection: Connection) -> int:
    """Return how many characters of texts one statement may have."""
    return min(
        _MAX_STATEMENT_CHARS, (packet_bytes(connection) - _MAX_STATEMENT_ROWS * _BYTES_PER_ROW) // _BYTES_PER_CHAR
    )


def _statements(rows: Sequence[Row], most_chars: int) -> list[Sequence[Row]]:
    parts: list[Sequence[Row]] = []
    start = characters = 0
    for index, row in enumerate(rows):
        length = sum([len(value) for value in row if type(value) is str or type(value) is bytes])
        if index - start >= _MAX_STATEMENT_ROWS or (characters + length > most_chars and index > start):
            parts.append(rows[start:index])
            start, characters = index, 0
        characters += length
    parts.append(rows[start:])
    return parts
