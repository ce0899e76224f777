"""The census: every job in Redis and where it is, read in one atomic step."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import redis

_EVERYTHING = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local values = {}
  if kind == 'list' then values = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'hash' and string.find(key, ':inflight:', 1, true) then values = redis.call('HVALS', key)
  elseif kind == 'zset' then values = redis.call('ZRANGE', key, 0, -1) end
  for _, value in ipairs(values) do
    found[#found + 1] = key
    found[#found + 1] = value
  end
end
return found
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One key that holds a job, and the job."""

    key: str
    job: dict[str, Any]

    @property
    def jid(self) -> str:
        return str(self.job["jid"])

    @property
    def kind(self) -> str:
        """queue, wait, inflight, retry, schedule, dead."""
        return self.key.split("}:")[1].split(":")[0] if self.key.startswith("{queue:") else self.key.split(":")[0]


class Census:
    """`places` of all jobs; `junk` is how many of the dead are no jobs at all."""

    def __init__(self, raw: redis.Redis) -> None:
        reply: list[bytes] = raw.eval(_EVERYTHING, 0)  # type: ignore[assignment]
        self.places: list[Place] = []
        self.junk = 0
        for key, value in zip(reply[::2], reply[1::2], strict=True):
            job = _job(value)
            if job is not None:
                self.places.append(Place(key.decode(), job))
            elif key == b"dead":
                self.junk += 1

    @property
    def jids(self) -> Counter[str]:
        """In how many places each job is."""
        return Counter(place.jid for place in self.places)

    @property
    def dead(self) -> dict[str, dict[str, Any]]:
        """The dead jobs by jid."""
        return {place.jid: place.job for place in self.places if place.kind == "dead"}

    def of(self, jid: str) -> list[str]:
        """The keys that hold a job."""
        return [place.key for place in self.places if place.jid == jid]


def _job(value: bytes) -> dict[str, Any] | None:
    try:
        job = json.loads(value)
    except ValueError:
        return None
    return job if isinstance(job, dict) and "jid" in job else None


def left_behind(raw: redis.Redis) -> list[str]:
    """Keys of processes: after all have stopped there must be none."""
    names: list[bytes] = raw.keys("*")  # type: ignore[assignment]
    held = [name.decode() for name in names if name.startswith((b"{queue:", b"pl:alive:"))]
    owners: dict[bytes, bytes] = raw.hgetall("pl:owners")  # type: ignore[assignment]
    return held + [f"pl:owners {name.decode()}" for name in owners]


def counters(raw: redis.Redis) -> dict[str, int]:
    """stat:processed and stat:failed, and the sums over their days."""
    found = {}
    for what in ("processed", "failed"):
        found[what] = int(raw.get(f"stat:{what}") or 0)  # type: ignore[arg-type]
        days: list[bytes] = raw.keys(f"stat:{what}:*")  # type: ignore[assignment]
        found[f"{what} by day"] = sum(int(raw.get(key) or 0) for key in days)  # type: ignore[arg-type]
    return found
