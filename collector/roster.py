"""The couriers of today, one for each sink, and how those of yesterday hand over to them."""

from collections import deque

from collector.courier import Courier
from collector.offices import Office
from collector.options import Options
from collector.parcel import Account, Parcel
from collector.sinks import Batch, Sink
from collector.spool import Spool, folder_name


class Roster:
    """Makes couriers by the options; used by the worker's thread, or by who closes where there is none.

    Args:
        office: Whom the couriers work for.
    """

    def __init__(self, office: Office) -> None:
        self.couriers: tuple[Courier, ...] = ()
        self.options = Options()  # by which they were made
        self.wants_text = False  # whether any of them sends a batch's text
        self.homeless: deque[Parcel] = deque()  # what retired couriers didn't deliver
        self._office = office
        self._generation = 0

    def follow(self, options: Options) -> None:
        """Make couriers for new options; those before finish what is on its way, and the rest goes to the new ones."""
        if options is not self.options:
            self._change(options)
        for courier in self.couriers:
            courier.revive()
        while self.couriers and self.homeless:
            self._house(self.homeless.popleft())

    def parcel(self, batch: Batch) -> Parcel:
        """Make a parcel for all couriers."""
        return Parcel(batch, Account(len(batch.events), self._generation, len(self.couriers)))

    def give(self, parcel: Parcel, *, overflow: bool) -> None:
        """Give a parcel to all couriers; where no thread can be started, or the end has come, it is delivered here."""
        for courier in self.couriers:
            courier.accept(parcel, overflow=overflow)
            if self._office.give_up_at_s() != float("inf") or not courier.start():
                courier.work_off()

    def put_down(self, parcel: Parcel) -> None:
        """Give a parcel to all couriers to be put on the disk."""
        for courier in self.couriers:
            courier.accept(parcel, overflow=True)

    def lose_homeless(self, reason: str) -> None:
        """Count what has found no courier."""
        while self.homeless:
            parcel = self.homeless.popleft()
            self._office.ledger.finish(parcel.account, dict.fromkeys(range(parcel.size), reason))

    def _change(self, options: Options) -> None:
        former = list(self.couriers)
        self._generation += 1
        made: list[Courier] = []
        for sink in options.sinks:
            spool = _spool_of(sink, options)
            before = next((one for one in former if _is_heir(sink, spool, one)), None)
            if before is not None:
                former.remove(before)
                before.retire(has_heir=True)
            made.append(
                Courier(
                    sink,
                    self._office,
                    options,
                    spool=spool,
                    owned=any(sink is one for one in options.owned),
                    alone=len(options.sinks) == 1,
                    predecessor=before,
                )
            )
        self.couriers, self.options = tuple(made), options
        self.wants_text = any(getattr(sink, "sends_text", False) is True for sink in options.sinks)
        for courier in former:
            courier.retire(has_heir=False)
        for courier in made:
            courier.begin()

    def _house(self, parcel: Parcel) -> None:
        """Give what a retired courier left to those of today."""
        ledger = self._office.ledger
        account = parcel.account
        if account.generation == self._generation:  # the share of another courier: they have it already
            ledger.finish(account, {})
            return
        account.generation = self._generation
        ledger.share(account, len(self.couriers) - 1, anew=True)
        self.give(parcel, overflow=False)


def _spool_of(sink: Sink, options: Options) -> Spool | None:
    key = getattr(sink, "spool_key", None)
    if not isinstance(key, str) or options.spool_dir is None or not options.spool_max_bytes:
        return None
    folder = options.spool_dir / folder_name(key)
    return Spool(folder, max_bytes=options.spool_max_bytes, max_age_s=options.spool_max_age_s)


def _is_heir(sink: Sink, spool: Spool | None, former: Courier) -> bool:
    """Whether a sink must wait until a former courier is done: the same object, or the same files."""
    files = former.shelf.spool
    return sink is former.sink or (spool is not None and files is not None and spool.folder == files.folder)
