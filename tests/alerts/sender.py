"""A process that sends what waits, if it holds the lease: to be killed in the middle of it."""

from __future__ import annotations

import os
import sys
import threading

from alerts.delivery.service import DeliveryService
from alerts.texts import Texts
from db.alert_lease import AlertLease
from db.alert_tables import AlertTables
from db.engine import make_engine

LEASE_S = 4.0
DEADLINE_S = 8.0


def main(url: str) -> None:
    """Send until somebody ends this process; every time it takes the lease, it says so."""
    engine = make_engine(url=url)
    lease = AlertLease(engine, os.getpid(), length_s=LEASE_S)
    leads = False
    service = DeliveryService(AlertTables(engine), leads=lambda: leads, texts=Texts(), deadline_s=DEADLINE_S)
    service.start()
    while True:
        held = lease.take()
        if held and not leads:
            sys.stdout.write("sending\n")
            sys.stdout.flush()
        leads = held
        service.wake()
        threading.Event().wait(LEASE_S / 8)


if __name__ == "__main__":
    main(sys.argv[1])
