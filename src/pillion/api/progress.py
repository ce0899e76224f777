"""Progress: how far a job says that it is (F137)."""

from __future__ import annotations

from collections.abc import Iterable

from pillion.api.call import call
from pillion.api.fleet import DEFAULT, Fleet
from pillion.api.iterations import checked_jids
from pillion.api.plan import Plan, ask, ask_all
from pillion.storage.ops import iteration as ops


class Progress:
    """What jobs have noted with `self.progress(at, total)`, in percent, by jid. Kept for an hour."""

    def __init__(self, *, fleet: Fleet | None = None) -> None:
        self.fleet = fleet or DEFAULT

    @call("GET", cost="O(1)")
    def get(self, jid: str) -> Plan[float]:
        """How far a job is, from 0.0 to 100.0; 0.0 if nothing is known of it."""
        (wanted,) = checked_jids([jid])
        return (yield from ask(ops.progress(wanted)))

    @call("GET", cost="O(J), J = jids")
    def read(self, jids: Iterable[str]) -> Plan[dict[str, float]]:
        """The same for many jobs, in one round trip."""
        wanted = checked_jids(jids)
        found = yield from ask_all([ops.progress(jid) for jid in wanted])
        return dict(zip(wanted, found, strict=True))

    @call("UNLINK", cost="O(1)")
    def cleanup(self, jid: str) -> Plan[bool]:
        """Forget how far a job is, before the hour is over. Returns whether something was known."""
        (wanted,) = checked_jids([jid])
        return (yield from ask(ops.forget_progress(wanted)))


_progress = Progress()
get_progress = _progress.get
cleanup_progress = _progress.cleanup
