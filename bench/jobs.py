"""The jobs of the bench, for Pillion."""

import os
import time

import redis

from pillion import Job

_results = redis.Redis(unix_socket_path=os.environ["BENCH_SOCKET"])


class Noop(Job, wire_name="Noop"):
    def perform(self, number: int) -> None:
        pass


class Lateness(Job, wire_name="Lateness"):
    def perform(self, pushed_at: float) -> None:
        late_s = time.time() - pushed_at
        _results.rpush("bench:lateness", late_s)
