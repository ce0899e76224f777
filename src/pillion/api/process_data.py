"""A worker process as the data API shows it: its record, read with all patience (wire-format 7 and 15). No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pillion.errors import DecodeError
from pillion.wire import codec


@dataclass(slots=True, frozen=True)
class CapsuleData:
    """One capsule of a process. `mode` is "strict", "weighted" or "random"; `weights` is queue to weight."""

    name: str
    concurrency: int
    mode: str
    weights: dict[str, int]


class ProcessData:
    """What a process record says. Anything may be missing or of a wrong type in it; nothing here raises.

    Sidekiq 6.4 to 8.1 and Pillion write it in different ways; they all look the same here. `identity` is
    the name of the process; times are epoch seconds (float), or None where the record has none.
    """

    def __init__(self, identity: str, fields: Mapping[str, bytes]) -> None:
        self.identity = identity
        self._fields = fields

    @cached_property
    def info(self) -> dict[str, Any]:
        """What the process said of itself when it started; empty if that cannot be read."""
        try:
            return codec.loads_job(self._fields.get("info", b""))
        except DecodeError:
            return {}

    # -- who it is -------------------------------------------------------------------------------------

    @property
    def hostname(self) -> str:
        """The machine it runs on."""
        return _text(self.info.get("hostname")) or self.identity.rsplit(":", 2)[0]

    @property
    def pid(self) -> int | None:
        """Its process id on that machine."""
        said = _count(self.info.get("pid"))
        return _count(self.identity.rsplit(":", 2)[-2:][0]) if said is None else said

    @property
    def tag(self) -> str:
        """Its tag; "" if it has none."""
        return _text(self.info.get("tag"))

    @property
    def labels(self) -> list[str]:
        """Its labels."""
        return _texts(self.info.get("labels"))

    @property
    def version(self) -> str:
        """The version of Pillion or Sidekiq that it runs; "" if it does not say (Sidekiq before 7)."""
        return _text(self.info.get("version"))

    @property
    def is_embedded(self) -> bool:
        """Whether it is a part of another program: then it obeys no signals."""
        return self.info.get("embedded") is True

    # -- what it serves --------------------------------------------------------------------------------

    @cached_property
    def capsules(self) -> dict[str, CapsuleData]:
        """Its capsules by name; none if it does not say (Sidekiq before 8.0.9)."""
        found = _map(self.info.get("capsules"))
        return {name: _capsule(name, _map(one)) for name, one in found.items()}

    @property
    def queues(self) -> list[str]:
        """The queues it serves, each once, in the order it said."""
        of_capsules = [queue for capsule in self.capsules.values() for queue in capsule.weights]
        of_weights = [queue for weights in self.weights for queue in weights]
        return list(dict.fromkeys(of_capsules or _texts(self.info.get("queues")) or of_weights))

    @property
    def weights(self) -> list[dict[str, int]]:
        """Queue to weight, a map for each capsule; none if it does not say (Sidekiq before 7)."""
        if self.capsules:
            return [capsule.weights for capsule in self.capsules.values()]
        said: object = self.info.get("weights")
        maps = cast("list[object]", said) if isinstance(said, list) else [said]  # 7.0.2 wrote one map for all
        return [_weights(one) for one in maps if _map(one)]

    @property
    def concurrency(self) -> int:
        """How many jobs it can run at a time; 0 if it does not say."""
        for said in (self._fields.get("concurrency"), self.info.get("concurrency")):
            if (number := _count(said)) is not None:
                return number
        return sum(capsule.concurrency for capsule in self.capsules.values())

    # -- how it is -------------------------------------------------------------------------------------

    @property
    def busy(self) -> int:
        """How many jobs it was running at its last beat."""
        return _count(self._fields.get("busy")) or 0

    @property
    def started_at(self) -> float | None:
        """When it started."""
        return _moment(self.info.get("started_at"))

    @property
    def beat_at(self) -> float | None:
        """When it was last heard of. It beats every 10 s; after 60 s without it is dead."""
        return _moment(self._fields.get("beat"))

    @property
    def rtt_us(self) -> int | None:
        """How long Redis took to answer it, in microseconds."""
        return _count(self._fields.get("rtt_us"))

    @property
    def rss_kib(self) -> int | None:
        """Its memory (resident set) in KiB."""
        return _count(self._fields.get("rss"))

    @property
    def is_quiet(self) -> bool:
        """Whether it takes no new jobs: it was told to be quiet, or to stop. Sidekiq's `stopping?`."""
        return self._fields.get("quiet") == b"true"

    def __getitem__(self, key: str) -> Any:
        """The value of any key of `info`; None if it is not there."""
        return self.info.get(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProcessData) and (other.identity, other._fields) == (self.identity, self._fields)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        state = " quiet" if self.is_quiet else ""
        return f"<{type(self).__name__} {self.identity} {self.busy} of {self.concurrency} busy{state}>"


def _capsule(name: str, said: Mapping[str, object]) -> CapsuleData:
    return CapsuleData(
        name, _count(said.get("concurrency")) or 0, _text(said.get("mode")), _weights(said.get("weights"))
    )


def _weights(said: object) -> dict[str, int]:
    return {queue: _count(weight) or 0 for queue, weight in _map(said).items()}


def _map(said: object) -> dict[str, object]:
    return cast("dict[str, object]", said) if isinstance(said, dict) else {}


def _texts(said: object) -> list[str]:
    return [str(one) for one in cast("list[object]", said)] if isinstance(said, list) else []


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""


def _count(said: object) -> int | None:
    """A whole number, as JSON or as the text of a hash field."""
    if isinstance(said, bool) or not isinstance(said, int | str | bytes):
        return None
    try:
        return int(said)
    except ValueError:
        return None


def _moment(said: object) -> float | None:
    if isinstance(said, bool) or not isinstance(said, int | float | bytes):
        return None
    try:
        moment = float(said)
    except (ValueError, OverflowError):
        return None
    return moment if math.isfinite(moment) else None
