"""Where a job is: looked for along the way that jobs go, and a second time before it is said to be gone.

Whoever comes from a list brings along where it was: a set with its time, a queue with its position. There it is
looked for at once, in whole. Beside that everything is searched for the jid, as far as a search goes.

Design record. The looks are many commands, and jobs move on between them. So they go the way that jobs go: sets,
queues, the hands of processes, and last what heartbeats tell. A job that goes on meanwhile is met further on, all but
the one that has come back to where was looked before: it failed, or was handed back. For that one there is a second
look, a round trip later, before anybody reads that it is gone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pillion.api.plan import Plan, ask, ask_all, together
from pillion.api.record import JobData
from pillion.api.work import Work
from pillion.errors import RedisError
from pillion.storage.ops import web
from pillion.storage.ops.base import tolerant
from pillion.storage.ops.in_hand import OWNERS_A_STEP, HeldEntry, InHand, in_hand
from pillion.storage.ops.web import Look, Works
from pillion.web.data.finding import STEP, Hit, visible_of
from pillion.web.data.fleet_pages import running_job, running_place
from pillion.web.data.models import Place, SetName, State
from pillion.web.data.overview import SETS
from pillion.web.data.partial import PartialJob
from pillion.web.data.query import ways
from pillion.web.data.redaction import Redact
from pillion.web.data.texts import short
from pillion.web.data.visible import Visible
from pillion.wire import keys

NO_JID: Final = "-"
_EVERYWHERE: Final = (keys.RETRY, keys.DEAD, keys.SCHEDULE, keys.QUEUES)
_BUDGET: Final = 18_000
# Around the position that a job of a queue had: others have been taken since.
_NEAR: Final = 600
_SAME_TIME: Final = 1_000
_MOST_RUNNING: Final = 5_000
_MOST_OWNERS: Final = 1_000
_WHOLE_BYTES: Final = 1_000_000
_ALL_BYTES: Final = 16_000_000


@dataclass(slots=True, frozen=True)
class JobAsk:
    """Which job: its jid, and where it was seen: `place` "queue:NAME" or a set, `at` its position or its time there."""

    jid: str
    place: str
    at: float | None
    everything: bool

    @property
    def set_name(self) -> SetName | None:
        """The set it was seen in."""
        return next((name for name in ("scheduled", "retries", "dead") if name == self.place), None)

    @property
    def texts(self) -> tuple[tuple[bytes, ...], ...]:
        """What must occur in its payload."""
        return () if self.jid == NO_JID else (ways(self.jid),)

    def is_it(self, visible: Visible) -> bool:
        """Whether this is the job."""
        return short(visible.job.jid) == ("" if self.jid == NO_JID else self.jid)


@dataclass(slots=True, frozen=True)
class Spotted:
    """A place where the job was found, and the job as it is there; `key` addresses it in a set or a queue."""

    visible: Visible
    place: Place
    key: str = ""


@dataclass(slots=True, frozen=True)
class Sight:
    """What was seen at one look, in the order of the looking."""

    near: Look | RedisError | None
    looks: Sequence[Look]
    held: Sequence[InHand | RedisError]
    works: Sequence[Works | RedisError]

    @property
    def searched(self) -> int:
        """How many entries of sets and queues were looked at."""
        return sum(look.looked_at for look in self.looks)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.looks[0].total if self.looks else 0

    def spotted(self, asked: JobAsk, redact: Redact) -> list[Spotted]:
        """The places where the job is, each once: where it was seen before, where it runs, where else it is."""
        running = _running(self.works, asked, redact)
        told = {one.place.process for one in running}
        held = [one for one in _held(self.held, asked, redact) if one.place.process not in told]
        found = [*_near(self.near, asked, redact), *running, *held, *_anywhere(self.looks, asked, redact)]
        return _distinct(found)


def ask_sight(asked: JobAsk) -> Plan[Sight]:
    """One look at all places, in one round trip."""
    near, looks, held, works = yield from together(
        [_ask_near(asked), _ask_everywhere(asked), _ask_held(asked), _ask_works(asked)]
    )
    return Sight(near, looks, held, works)


# -- asking ----------------------------------------------------------------------------------------------


def _ask_near(asked: JobAsk) -> Plan[Look | RedisError | None]:
    """Where it was seen."""
    whole = _ALL_BYTES if asked.everything else _WHOLE_BYTES
    sizes: dict[str, Any] = {"most": 3, "texts": asked.texts, "whole_bytes": whole, "back_bytes": 3 * whole}
    if asked.at is None:
        return None
    if asked.set_name is not None:
        begin: tuple[Any, str] = ("below", repr(float(asked.at)))
        op = web.look([SETS[asked.set_name]], "asc", begin=begin, count=_SAME_TIME, **sizes)
    elif asked.place.startswith("queue:") and math.isfinite(asked.at):
        first = max(0, int(asked.at) - 1 - _NEAR)
        name = asked.place.removeprefix("queue:")
        op = web.look([keys.queue(name)], "asc", begin=("rank", first), count=_NEAR + 50, **sizes)
    else:
        return None
    found: Look | RedisError = yield from ask(tolerant(op))
    return found


def _ask_everywhere(asked: JobAsk) -> Plan[list[Look]]:
    if asked.jid == NO_JID:
        return []
    sizes: dict[str, Any] = {"most": 3, "texts": asked.texts, "whole_bytes": _WHOLE_BYTES}
    steps = range(0, _BUDGET, STEP)
    return (
        yield from ask_all([web.look(_EVERYWHERE, "desc", begin=("rank", at), count=STEP, **sizes) for at in steps])
    )


def _ask_held(asked: JobAsk) -> Plan[list[InHand | RedisError]]:
    if asked.jid == NO_JID:
        return []
    steps = range(0, _MOST_OWNERS, OWNERS_A_STEP)
    text = asked.texts[0]
    return (yield from ask_all([tolerant(in_hand(text, skip=done, whole_bytes=_WHOLE_BYTES)) for done in steps]))


def _ask_works(asked: JobAsk) -> Plan[list[Works | RedisError]]:
    if asked.jid == NO_JID:
        return []
    text = max(asked.texts[0], key=len) if len(asked.texts[0]) == 1 else b""
    steps = range(0, _MOST_RUNNING, STEP)
    return (yield from ask_all([tolerant(web.works(skip=done, count=STEP, text=text)) for done in steps]))


# -- finding ---------------------------------------------------------------------------------------------


def _near(look: Look | RedisError | None, asked: JobAsk, redact: Redact) -> list[Spotted]:
    if look is None or isinstance(look, RedisError):
        return []
    found = _spotted_in(look, asked, redact, "asc")
    if asked.set_name is None:
        return found
    exact = [one for one in found if one.place.at == asked.at]
    return exact[:1] if asked.jid == NO_JID else exact or found


def _anywhere(looks: Sequence[Look], asked: JobAsk, redact: Redact) -> list[Spotted]:
    return [one for look in looks for one in _spotted_in(look, asked, redact, "desc")]


def _spotted_in(look: Look, asked: JobAsk, redact: Redact, direction: Any) -> list[Spotted]:
    found: list[Spotted] = []
    for seen in look.entries:
        visible = visible_of(seen, redact, everything=asked.everything)
        if asked.is_it(visible):
            row = Hit(seen, visible).row(direction)
            found.append(Spotted(visible, row.place, row.key))
    return found


def _running(works: Sequence[Works | RedisError], asked: JobAsk, redact: Redact) -> list[Spotted]:
    found: list[Spotted] = []
    for reply in works:
        for entry in () if isinstance(reply, RedisError) else reply.entries:
            visible = Visible(running_job(entry), redact, everything=asked.everything)
            if asked.is_it(visible):
                run_at = Work(entry.identity, entry.thread, entry.tail or entry.head).run_at
                found.append(Spotted(visible, running_place(entry, run_at)))
    return found


def _held(replies: Sequence[InHand | RedisError], asked: JobAsk, redact: Redact) -> list[Spotted]:
    found: list[Spotted] = []
    for entry in (entry for reply in replies if not isinstance(reply, RedisError) for entry in reply.entries):
        size_bytes = entry.size_bytes if entry.tail else None
        visible = Visible(_held_job(entry), redact, everything=asked.everything, size_bytes=size_bytes)
        if asked.is_it(visible):
            state: State = "running" if entry.lives else "held"
            found.append(Spotted(visible, Place(state, queue=short(entry.queue), process=short(entry.identity))))
    return found


def _held_job(entry: HeldEntry) -> JobData:
    return PartialJob(entry.head, entry.tail, entry.queue) if entry.tail else JobData(entry.head, entry.queue)


def _distinct(spotted: Sequence[Spotted]) -> list[Spotted]:
    """Each place once; a search goes over the one where it was seen, too."""
    found: dict[Any, Spotted] = {}
    for one in spotted:
        digest = one.key.split("|")[1] if one.key else one.place.thread
        found.setdefault((one.place.set_name, one.place.queue, one.place.process, one.place.at, digest), one)
    return list(found.values())
