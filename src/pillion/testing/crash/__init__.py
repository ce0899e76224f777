"""crash_at_every_line: stop a job at each of its lines, run it again, and look what it has left behind (F109)."""

from pillion.testing.crash.assess import crash_at_every_line
from pillion.testing.crash.report import CrashFailure, CrashReport

__all__ = ["CrashFailure", "CrashReport", "crash_at_every_line"]
