"""How the services are to misbehave: set on a page, obeyed by every call of web and worker.

The fake services forget everything between two calls. So it is we who ask them, with each call, to be slow, to
refuse, or to crash.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete

from shop import database
from shop.models import SimulatedBehaviour


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`throttle`: 429 for each call. `crash`: 503 or 504 for each call. `sleep_s`: seconds before any answer."""

    throttle: bool = False
    crash: bool = False
    sleep_s: float = 0.0

    def headers(self) -> dict[str, str]:
        """What to send with a call."""
        wanted = {
            "X-Be-Slow": f"{self.sleep_s:g}" if self.sleep_s else "",
            "X-Throttle": "true" if self.throttle else "",
            "X-Crash": "true" if self.crash else "",
        }
        return {name: value for name, value in wanted.items() if value}


def behaviour_of(service: str) -> Behaviour:
    """How `service` is to behave now: well, unless something else was said."""
    with database.session() as session:
        row = session.get(SimulatedBehaviour, service)
        return Behaviour(row.throttle, row.crash, row.sleep_s) if row else Behaviour()


def set_behaviour(service: str, behaviour: Behaviour) -> None:
    """From the next call on, `service` behaves so."""
    row = SimulatedBehaviour(
        service=service, throttle=behaviour.throttle, crash=behaviour.crash, sleep_s=behaviour.sleep_s
    )
    with database.session() as session:
        session.merge(row)
        session.commit()


def forget_behaviours() -> None:
    """All services behave well again."""
    with database.session() as session:
        session.execute(delete(SimulatedBehaviour))
        session.commit()
