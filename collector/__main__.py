"""For shells and cron: `python -m collector run --name nightly -- command ...` and `python -m collector record ...`."""

import argparse
import os
import sys
from collections.abc import Sequence

from collector.client import Collector
from collector.command import run_command
from collector.errors import CollectorError

_MISUSE = 2  # as argparse's own


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m collector",
        description="Tell a Scrapeboard app what happened. What can't be delivered now waits on the disk.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="run|record")
    run = commands.add_parser("run", help="run a command as a run: its duration, exit code, and why it failed")
    run.add_argument("--name", required=True, help="what runs: nightly, for instance")
    run.add_argument("--source", help="the scraper that it is a run of")
    run.add_argument("--expect-items", type=int, help="how many items it should give")
    run.add_argument("--heartbeat", type=float, default=30.0, help="seconds between two signs of life (30)")
    _add_target(run)
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- command ...", help="what to run")

    record = commands.add_parser("record", help="record one metric")
    kinds = record.add_subparsers(dest="kind", required=True, metavar="navigation|scrape|scheduler")
    for kind, what in (("navigation", "a page navigation"), ("scrape", "a page scrape"), ("scheduler", "a job")):
        parts = kinds.add_parser(kind, help=f"record {what}")
        _add_target(parts)
        parts.add_argument("--duration-ms", type=float, required=True, help="how long it took")
        parts.add_argument("--failed", action="store_true", help="it didn't succeed")
        parts.add_argument("--error", help="why")
        parts.add_argument("--run-id", help="the run that it belongs to")
        if kind == "scheduler":
            parts.add_argument("--name", required=True, help="the job's name")
            parts.add_argument("--source", help="the scraper that it drives")
            parts.add_argument("--items", type=int, default=0, help="items processed")
            continue
        parts.add_argument("--source", required=True, help="the scraper's name")
        parts.add_argument("--page", required=True, help="the page's address")
        parts.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="may be given again")
        if kind == "navigation":
            parts.add_argument("--status", type=int, help="HTTP status")
            parts.add_argument("--retries", type=int, default=0, help="attempts after the first")
        else:
            parts.add_argument("--items", type=int, default=0, help="items extracted")
            parts.add_argument("--size", type=int, help="bytes")
            parts.add_argument("--outcome", help="ok, empty, blocked, parse_error, network, timeout")
            parts.add_argument("--field", action="append", default=[], metavar="NAME=COUNT", help="items that have it")
    return parser


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default=os.environ.get("SCRAPEBOARD_URL"), help="the app's address (SCRAPEBOARD_URL)")
    parser.add_argument(
        "--token",
        default=os.environ.get("SCRAPEBOARD_TOKEN"),
        help="its token, better given as SCRAPEBOARD_TOKEN: arguments can be seen by every user",
    )
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for the delivery at the end (5)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says.

    Args:
        arguments: The words after `python -m collector`; None = this process's.

    Returns:
        The exit code: that of the command with `run`, 0 with `record` also when the metric waits on the disk, 1 when
        it is lost, 2 when the command line can't work.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    words: list[str] = getattr(given, "words", [])
    if words[:1] == ["--"]:
        words = words[1:]
    if given.command == "run" and not words:
        parser.error("say what to run: python -m collector run --name nightly -- command ...")
    if given.url is None:
        parser.error("say where the app is: --url http://host:8050, or SCRAPEBOARD_URL")
    one = Collector()
    try:
        one.configure(
            url=given.url,
            token=given.token,
            exit_timeout_s=given.timeout,
            name=f"collector {given.command}",
            report=given.command == "run",
            strict=given.command == "record",
            handle_sigterm=False,
        )
        if given.command == "run":
            run = one.run(
                given.name,
                expected_items=given.expect_items,
                scraper_source=given.source,
                heartbeat_interval_s=given.heartbeat,
            )
            return run_command(run, words)
        _record(one, given)
    except (CollectorError, ValueError) as exc:
        print(f"python -m collector: {exc}", file=sys.stderr)  # noqa: T201 - a command line's way to speak
        return _MISUSE
    return 1 if one.close(given.timeout) else 0


def _record(one: Collector, given: argparse.Namespace) -> None:
    success, error = not (given.failed or given.error), given.error
    if given.kind == "scheduler":
        one.record_scheduler_metric(
            given.name,
            execution_duration_ms=given.duration_ms,
            success=success,
            items_processed=given.items,
            error=error,
            scraper_source=given.source,
            run_id=given.run_id,
        )
    elif given.kind == "navigation":
        one.record_page_navigation(
            given.source,
            url=given.page,
            navigation_duration_ms=given.duration_ms,
            success=success,
            retry_count=given.retries,
            error=error,
            status_code=given.status,
            run_id=given.run_id,
            labels=_pairs(given.label, "--label KEY=VALUE"),
        )
    else:
        counts = _pairs(given.field, "--field NAME=COUNT")
        one.record_page_scrape(
            given.source,
            url=given.page,
            scrape_duration_ms=given.duration_ms,
            items_extracted=given.items,
            success=success,
            error=error,
            data_size=given.size,
            outcome=given.outcome,
            run_id=given.run_id,
            labels=_pairs(given.label, "--label KEY=VALUE"),
            fields=None if counts is None else {name: int(count) for name, count in counts.items()},
        )


def _pairs(words: Sequence[str], shape: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"it is {shape}, got {word!r}")
        pairs[name] = value
    return pairs or None


if __name__ == "__main__":
    sys.exit(main())
