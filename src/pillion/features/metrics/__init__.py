"""Metrics: how often each job class ran and failed, and how long it took, minute by minute (behaviour 15).

On by default. It observes each run in its own thread, without locks, and adds what was counted to
Redis every ten seconds and at the end of the process. `pillion.api.Metrics` reads it.
"""

from __future__ import annotations

from pillion.config import Config
from pillion.features.metrics.recorder import Recorder
from pillion.features.metrics.service import MetricsService


def install(config: Config) -> None:
    """Count the runs of this process."""
    recorder = Recorder()
    config.observers.append(recorder.observe)
    config.services.append(lambda host: MetricsService(recorder, host))
