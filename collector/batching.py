"""Makes a batch of what waits in the queue: redacted, checked, under a new id."""

import uuid

from collector.entries import Redact, to_event
from collector.errors import InvalidMetric
from collector.events import Metric, PageScrape
from collector.ledger import Ledger
from collector.offices import RunsOfWorker
from collector.run_events import ScraperRun
from collector.sinks import Batch
from collector.warner import Warner

LONG_QUEUE = 10  # batches: from here on they are made so much longer, as each costs a round trip
_MOST_LONGER = 40  # times; somebody who asks for small batches doesn't want huge ones
_LONGEST_BATCH = 4000  # metrics of a batch that takes all that waits
_PART_OF_PENDING = 10


def batch_length(size: int, waiting: int, *, max_pending: int, answering: bool) -> int:
    """Say how long the next batch may be: longer when much waits, so that fewer round trips bring it.

    Args:
        size: Of a batch usually, in metrics.
        waiting: Metrics in the queue.
        max_pending: How many may wait; those of a batch wait until it is delivered, so it takes no big part of them.
        answering: Whether it is delivered at once; on the disk shorter ones find room more easily.
    """
    if waiting < LONG_QUEUE * size:
        return size
    longer = max(LONG_QUEUE * size, min(waiting, _MOST_LONGER * size, _LONGEST_BATCH) if answering else 0)
    return max(size, min(longer, max_pending // _PART_OF_PENDING))


def make_batch(
    ledger: Ledger, most: int, *, warner: Warner, redact: Redact | None, runs: RunsOfWorker | None
) -> Batch | None:
    """Take the oldest entries from the queue and make a batch of the good ones; the others are counted.

    Args:
        ledger: Who keeps the queue's count.
        most: How many entries to take at most.
        warner: Where bad ones are told.
        redact: The user's own redaction.
        runs: Who wants to know the items of scrapes.

    Returns:
        None when nothing is left.
    """
    metrics: list[Metric] = []
    told: list[ScraperRun] = []
    entries = ledger.take(most)
    seen = 0
    try:
        for entry in entries:
            try:
                event = to_event(entry, redact)
            except InvalidMetric as exc:
                ledger.last_error = f"invalid: {exc}"
                warner.warn(f"invalid {exc.field}", "a metric is dropped: %s", exc)
                ledger.drop("invalid")
            else:
                if isinstance(event, ScraperRun):
                    told.append(event)
                else:
                    metrics.append(event)
                    if runs is not None and event.run_id is not None and isinstance(event, PageScrape):
                        runs.count(event.run_id, event.items_extracted)
            seen += 1
    except BaseException:
        ledger.drop("internal_error", len(entries) - seen + len(metrics) + len(told))
        raise
    return Batch(uuid.uuid4().hex, tuple(metrics), tuple(told)) if metrics or told else None
