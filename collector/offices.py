"""What the parts of a collector's machinery need of each other, so that none imports who uses it."""

from typing import Protocol

from collector.ledger import Ledger, Tally
from collector.parcel import Parcel
from collector.warner import Warner


class Office(Protocol):
    """What couriers need of the worker that they work for."""

    ledger: Ledger
    warner: Warner
    flush_calls: Tally

    def is_awaited(self) -> bool:
        """Whether somebody waits in flush()."""
        ...

    def is_giving_up(self) -> bool:
        """Whether the end has come."""
        ...

    def give_up_at_s(self) -> float:
        """When it comes, by the monotonic clock."""
        ...

    def tell(self) -> None:
        """Wake the worker's thread: something is settled, or there is room again."""
        ...

    def take_back(self, parcels: list[Parcel]) -> None:
        """Take what a retired courier didn't deliver."""
        ...


class RunsOfWorker(Protocol):
    """What the worker does for runs (`collector.runs`)."""

    def tick(self, now_s: float) -> float:
        """Send the heartbeats that are due; after how many seconds the next one is."""
        ...

    def count(self, run_id: str | None, items: int) -> None:
        """Add the items of a scrape to its run."""
        ...

    def kill_all(self, why: str) -> None:
        """End all of them as killed."""
        ...

    def after_fork(self) -> None:
        """Leave the parent's runs to the parent."""
        ...
