"""Audit: who did what, to what, how many, from where, and what came of it. Kept in Redis and in the log."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pillion.api.fleet import Fleet
from pillion.errors import RedisError
from pillion.storage.ops import audit as ops

log = logging.getLogger("pillion.audit")

_LONGEST = 500


@dataclass(slots=True, frozen=True, kw_only=True)
class Entry:
    """One action. `who` with `role`, from `address`; `action` is the name of the route, `target` what it was done to.

    `filter` is the search that chose the jobs, `jids` are those that were ticked, the first 20 of them; `count` how
    many it was done to; `result` is "done", "nothing", "partly", "refused", "forbidden" (the role was too low), or
    "failed: " with the class of the error. `undo_id` puts it back. What is done to many has two entries: "started",
    with the count that was confirmed, and at its end "done" or "stopped".
    """

    who: str
    role: str
    action: str
    target: str
    result: str
    address: str
    filter: str = ""
    jids: str = ""
    count: int = 0
    undo_id: str = ""

    def fields(self) -> Mapping[str, str]:
        """As texts, without those that are empty."""
        return {name: str(value)[:_LONGEST] for name, value in asdict(self).items() if value != ""}


def write(fleet: Fleet, entry: Entry) -> None:
    """Write an entry, from a thread. The log has it also when Redis is away, and that is no error: it is too late."""
    fields = entry.fields()
    log.info("%s", " ".join(f"{name}={value!r}" for name, value in fields.items()))
    try:
        fleet.storage.run(ops.append(fields))
    except RedisError as error:
        log.error("The audit entry above is not in Redis: %s", error)
