"""The life of a job inside a worker process, as ops: fetch, acknowledge, settle, give back, reconcile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pillion.storage.ops.base import Arg, Op, Script, call, script
from pillion.wire import keys

# One Redis command, or a named step ("@name", arguments...), carried out when a job is settled.
Step = tuple[Arg, ...]

_NAMED_STEPS_MARK = "--{{named steps}}"


def hot_scripts(settling: Script) -> tuple[Script, ...]:
    """Every script that a worker's own line to Redis uses; `settling` is its settling script."""
    return (*(script(name) for name in ("fetch", "ack", "adopt", "give_back", "reconcile")), settling)


@dataclass(slots=True, frozen=True)
class Route:
    """The Redis keys of one queue, as seen by one process."""

    queue: str
    key: str
    inflight: str
    wait: str

    @classmethod
    def of(cls, queue: str, identity: str) -> Route:
        """The route of `queue` for the process `identity`."""
        return cls(queue, keys.queue(queue), keys.inflight(queue, identity), keys.waiting(queue, identity))


def fetch(
    routes: Sequence[Route], *, count: int, max_bytes: int, first_token: int, drain_wait_lists: bool
) -> Op[Fetched]:
    """Lease up to `count` jobs from the queues in the order given, except those that are paused.

    Returns pairs of (index in `routes`, payloads); tokens count up from `first_token` in that order.
    """
    names = [key for route in routes for key in (route.key, route.inflight, route.wait)]
    argv = (count, max_bytes, first_token, int(drain_wait_lists), keys.PAUSED)
    return call("fetch", names, argv, _fetched)


class Fetched(list[tuple[int, list[bytes]]]):
    """What a fetch brought: pairs of (index of the queue, payloads).

    `paused` are the indexes of the queues that are paused. `pauses_failure` is what Redis said when the
    paused queues could not be read, "" for nothing.
    """

    paused: tuple[int, ...] = ()
    pauses_failure: str = ""


def _fetched(reply: Any) -> Fetched:
    fetched = Fetched()
    for i in range(0, len(reply), 2):
        index, payloads = reply[i] - 1, reply[i + 1]
        if index < 0:
            fetched.pauses_failure = bytes(payloads[0]).decode(errors="replace")
        elif not payloads:
            fetched.paused = (*fetched.paused, index)
        else:
            fetched.append((index, payloads))
    return fetched


def adopt(route: Route, token: int, payload: bytes) -> Op[int]:
    """Lease the job that a blocking move brought into the private list. 1, or 0 if it is gone."""
    return call("adopt", (route.wait, route.inflight), (token, payload), int)


def acknowledge(tokens: Mapping[str, Sequence[int]], day: date) -> Op[int]:
    """Release the leases of finished jobs (in-flight key to tokens) and count them as processed."""
    argv: list[Arg] = [keys.STAT_TTL_S]
    for group in tokens.values():
        argv.append(len(group))
        argv.extend(group)
    stats = (keys.STAT_PROCESSED, keys.stat_day(keys.STAT_PROCESSED, day))
    return call("ack", (*stats, *tokens), argv, int)


def settle_script(named_steps: Mapping[str, str]) -> Script:
    """The settling script with the named steps of the installed features built in.

    `named_steps` maps a name ("@batch.done") to the text of a Lua function that takes the step's
    arguments as `...` and may return an error reply.
    """
    base = script("settle")
    functions = "\n".join(f"named['{name}'] = function(...)\n{body}\nend" for name, body in named_steps.items())
    return Script.of("settle", base.source.replace(_NAMED_STEPS_MARK, functions))


def settle(
    settling: Script,
    route: Route,
    token: int,
    steps: Iterable[Step],
    *,
    processed: int,
    failed: int,
    day: date,
    step_keys: Sequence[str] = (),
) -> Op[int]:
    """Settle one job: if its lease is ours, release it, carry out `steps`, add to the counters.

    The first of `steps` moves the job; if it fails nothing has happened. The result is 1 or 0, with
    `failure` set where a later step failed.
    """
    names = (
        route.inflight,
        keys.STAT_PROCESSED,
        keys.stat_day(keys.STAT_PROCESSED, day),
        keys.STAT_FAILED,
        keys.stat_day(keys.STAT_FAILED, day),
        *step_keys,
    )
    argv: list[Arg] = [token, processed, failed, keys.STAT_TTL_S]
    for step in steps:
        argv.append(len(step))
        argv.extend(step)
    return Op((len(names), *names, *argv), _settled, settling)


class Settled(int):
    """How many jobs were settled: 1 or 0. `failure` is what Redis said to a later step, "" for nothing."""

    failure: str = ""


def _settled(reply: Any) -> Settled:
    if not isinstance(reply, list):
        return Settled(reply)
    settled = Settled(reply[0])  # pyright: ignore[reportUnknownArgumentType]
    settled.failure = bytes(reply[1]).decode(errors="replace")  # pyright: ignore[reportUnknownArgumentType]
    return settled


def give_back(route: Route, tokens: Sequence[int]) -> Op[int]:
    """Hand jobs back unchanged; the one with the smallest token runs next."""
    return call("give_back", (route.inflight, route.key), sorted(tokens, reverse=True), int)


def reconcile(route: Route, held: Iterable[int], *, drain: bool) -> Op[int]:
    """Hand back every job in flight here that is not among the tokens `held`; `drain`: the private list too."""
    return call("reconcile", (route.inflight, route.key, route.wait), (int(drain), *held), int)


def bury_steps(payload: bytes, *, now_s: float, max_jobs: int, timeout_s: int) -> tuple[Step, ...]:
    """Put a payload into the dead set and trim the set by age and number (wire-format 3.4)."""
    return (
        ("ZADD", keys.DEAD, now_s, payload),
        ("ZREMRANGEBYSCORE", keys.DEAD, "-inf", now_s - timeout_s),
        ("ZREMRANGEBYRANK", keys.DEAD, 0, -max_jobs),
    )


def retry_steps(payload: bytes, at_s: float) -> tuple[Step, ...]:
    """Put a payload into the retry set, due at `at_s`."""
    return (("ZADD", keys.RETRY, at_s, payload),)


def schedule_steps(payload: bytes, at_s: float) -> tuple[Step, ...]:
    """Put a payload into the schedule, due at `at_s`."""
    return (("ZADD", keys.SCHEDULE, at_s, payload),)


def push_steps(queue: str, payload: bytes) -> tuple[Step, ...]:
    """Put a payload at the end of a queue, behind all waiting work. The move comes first, see settle.lua."""
    return (("LPUSH", keys.queue(queue), payload), ("SADD", keys.QUEUES, queue))
