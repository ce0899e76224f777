"""perform_multiple: run a job several times, as at-least-once delivery may (F113)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pillion.errors import JobArgumentError, PillionError
from pillion.testing.drain import Drain, which
from pillion.testing.mode import Mode, SwappableHome
from pillion.testing.modes import entered
from pillion.wire.codec import dumps
from pillion.wire.payload import for_queue
from pillion.wire.timestamps import to_ms


def perform_multiple(job: Any, args: Sequence[Any] = (), *, times: int = 3, drain: bool = True) -> None:
    """Run `job` so many times with one payload: the same jid and arguments each time. Assert afterwards.

    It runs in a fake mode of its own; unless `drain` is False, the jobs that it pushes are run as well, after
    each time. What a job raises comes out; wrong arguments raise as in a push, `args` that
    are no list JobArgumentError.
    """
    args = checked_args(args)
    home: SwappableHome = getattr(job, "__home__", None) or job.home
    with entered("fake", home) as mode:
        raw = payload_of(mode, job, args)
        for _ in range(times):
            run_whole(mode, raw, drain=drain)


def checked_args(args: object) -> Sequence[Any]:
    """`args`, if they are a list of arguments; raises JobArgumentError for a single one."""
    if isinstance(args, Sequence) and not isinstance(args, str | bytes | bytearray):
        return args  # pyright: ignore[reportUnknownVariableType]
    raise JobArgumentError(
        f"args: expected the list of all arguments, as in the payload, got {args!r:.100}. "
        f"For a single argument write [{args!r:.100}]."
    )


def payload_of(mode: Mode, job: Any, args: Sequence[Any]) -> bytes:
    """The bytes that a push of `job` would write. Raises what the push would raise."""
    payload = mode.home.client().prepare({"class": job, "args": list(args)})
    if payload is None:
        raise PillionError(f"{job!r} was not pushed: client middleware stopped it, so there is nothing to run.")
    return dumps(for_queue(payload, to_ms(mode.clock.now_s())))


def run_whole(mode: Mode, raw: bytes, *, drain: bool) -> None:
    """One run, and then the runs of what it pushed."""
    mode.runner().run(raw)
    if drain:
        Drain(mode, which(None), retries=False, travel=True).run()
