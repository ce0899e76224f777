"""First on the PYTHONPATH of a family: its wall clock is off by the seconds in the file CHAOS_CLOCK, which may change.

Python imports this before anything else, so nobody has taken hold of the real `time.time` yet. Monotonic clocks are
left alone, as when an operator or NTP sets the clock of a machine.
"""

import mmap
import os
import time
from pathlib import Path


def shift(path: str) -> None:
    """Add what the file says, from now on at each look."""
    with Path(path).open("rb") as file:
        off_s = memoryview(mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)).cast("d")
    true = time.time
    time.time = lambda: true() + off_s[0]


if "CHAOS_CLOCK" in os.environ:
    shift(os.environ["CHAOS_CLOCK"])
