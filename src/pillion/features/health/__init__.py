"""Health: thresholds, and messages when they are passed (F209 to F212, F215).

    from pillion.features.health import HealthMonitor, Thresholds, webhook

    HealthMonitor(Thresholds(max_latency_s=60), [webhook("https://ops.example/hook")]).run_once()

It needs no worker: cron runs it, or a loop, or `pillion check --notify`.
"""

from __future__ import annotations

from pillion.features.health.alert import Alert, HealthError
from pillion.features.health.monitor import HealthMonitor
from pillion.features.health.probe import Probe
from pillion.features.health.sinks import Sink, email, error_catcher, log_sink, webhook
from pillion.features.health.thresholds import Thresholds

__all__ = [
    "Alert",
    "HealthError",
    "HealthMonitor",
    "Probe",
    "Sink",
    "Thresholds",
    "email",
    "error_catcher",
    "log_sink",
    "webhook",
]
