"""A bench knows when the app that it serves has come to rest."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bench._served import processor_s, wait_for_rest

BUSY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True)\\nwhile True: pass'])"


def test_processor_time_counts_what_a_process_has_started() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()  # its child runs now
        try:
            while processor_s(parent.pid) < 0.3:  # far more than the parent needs, which only waits
                time.sleep(0.05)
        finally:
            os.killpg(parent.pid, 9)


def test_a_process_that_waits_is_at_rest() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waiting:
        wait_for_rest(waiting.pid, look_s=0.05)
        waiting.communicate(b"\n")
