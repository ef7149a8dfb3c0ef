"""A courier's shelf: what is put into its spool and taken from it is counted, and a disk that fails is left alone."""

import time
from collections import Counter

from collector.ledger import Ledger
from collector.parcel import Account, Parcel
from collector.spool import Found, Gone, Spool
from collector.warner import Warner

_AGAIN_AFTER_S = 60.0  # a disk that failed is left alone for so long


class Shelf:
    """Where a courier puts down what can't leave now; its lock protects all of it.

    Args:
        spool: The files; None = there is no disk to use.
        ledger: Where what becomes of metrics is counted.
        warner: Where trouble is told.
        alone: Whether the courier is the only one: then the parcels that it puts down are nobody else's to settle.
    """

    def __init__(self, spool: Spool | None, ledger: Ledger, warner: Warner, *, alone: bool) -> None:
        self.spool = spool
        self._ledger = ledger
        self._warner = warner
        self._alone = alone
        self._shared: dict[str, Account] = {}  # by batch id: put down here, and not settled by all couriers yet
        self._again_at_s = 0.0

    def is_usable(self) -> bool:
        """Whether something can be put down."""
        return self.spool is not None and time.monotonic() >= self._again_at_s

    def metrics(self) -> int:
        """How many metrics lie here."""
        return 0 if self.spool is None else self.spool.metrics

    def size_bytes(self) -> int:
        """How large the files are, in bytes."""
        return 0 if self.spool is None else self.spool.size_bytes

    def where(self) -> str:
        """Say for people where things lie."""
        return "in memory" if self.spool is None else f"in {self.spool.folder}"

    def put(self, parcel: Parcel) -> bool:
        """Put a parcel down; False when the disk doesn't take it."""
        if self.spool is None or not self.is_usable():
            return False
        try:
            gone = self.spool.put(parcel.batch)
        except OSError as exc:
            self._failed(exc)
            return False
        if not self._alone:
            self._shared[parcel.batch.batch_id] = parcel.account
        for one in gone:
            self._let_go(one)
        return True

    def oldest(self) -> Found | None:
        """Give what has waited longest and can be delivered; what can't is counted as lost on the way."""
        if self.spool is None or not self.spool.metrics:
            return None
        try:
            while (found := self.spool.oldest()) is not None:
                if found.batch is not None:
                    return found
                reason, count = found.lost or "spool_torn", found.record.metrics
                self.spool.settle(found)
                self._warner.warn(reason, "%d metrics in the spool are lost: %s", count, reason)
                self._ledger.settle_spooled(count, {reason: count}, adopted=found.segment.adopted)
        except OSError as exc:
            self._failed(exc)
        return None

    def settle(self, found: Found, lost: dict[int, str], now_ms: int | None) -> None:
        """Take away what is delivered or lost, and count it."""
        if self.spool is not None:
            try:
                self.spool.settle(found)
            except OSError as exc:
                self._failed(exc)
        account = self._shared.pop(found.batch.batch_id, None) if found.batch is not None else None
        if account is not None:
            self._ledger.finish(account, lost, now_ms=now_ms)
        else:
            reasons = Counter(lost.values())
            self._ledger.settle_spooled(found.record.metrics, reasons, adopted=found.segment.adopted, now_ms=now_ms)

    def adopt(self) -> bool:
        """Take over some of what processes left that are gone; whether there was something."""
        if self.spool is None:
            return False
        try:
            adopted = self.spool.adopt()
        except OSError as exc:
            self._failed(exc)
            return False
        if adopted:
            self._ledger.adopt(adopted)
        return adopted > 0

    def leave(self) -> None:
        """Leave what lies here to other processes."""
        spool = self.spool
        if spool is None:
            return
        shared = 0
        for account in self._shared.values():
            account.left = True
            shared += account.size
            self._ledger.finish(account, {})
        self._shared.clear()
        metrics, adopted = spool.metrics, spool.adopted
        self._ledger.leave(metrics - adopted - shared, adopted)
        spool.close()

    def inherit(self, other: "Shelf") -> None:
        """Go on with what lies on another one's shelf for the same target."""
        if self.spool is not None and other.spool is not None:
            self.spool.take_over(other.spool)
            self._shared.update(other._shared)
            other._shared.clear()

    def after_fork(self) -> None:
        """Leave the parent's files to the parent."""
        if self.spool is not None:
            self.spool.after_fork()

    def _let_go(self, gone: Gone) -> None:
        """Count what a full spool dropped."""
        self._warner.warn("spool_full", "the spool is full: the oldest metrics in it are dropped and counted")
        account = self._shared.pop(gone.batch_id, None)
        if account is not None:
            self._ledger.finish(account, dict.fromkeys(range(account.size), "spool_full"))
        else:
            self._ledger.settle_spooled(gone.metrics, {"spool_full": gone.metrics}, adopted=gone.adopted)

    def _failed(self, exc: OSError) -> None:
        self._again_at_s = time.monotonic() + _AGAIN_AFTER_S
        self._ledger.last_error = f"spool: {exc}"
        self._warner.warn("spool", "the spool can't be used, metrics wait in memory only: %s", exc)
