"""Ask: a request as the functions see that read from Redis or change it: values, no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pillion.api.fleet import Fleet
from pillion.web.confirm import Preview
from pillion.web.data.data import Data
from pillion.web.data.models import Outcome
from pillion.web.data.redaction import Redact
from pillion.web.roles import Role


@dataclass(slots=True, frozen=True, kw_only=True)
class Ask:
    """One question. `ask["queue"]` is a name in the path, `ask["page"]` a parameter, read and within its bounds.

    `data` reads what pages show, `fleet` is the Redis behind it. `redact` hides from this user what they may not
    see; None hides nothing. `now_s` is epoch seconds.
    """

    data: Data
    fleet: Fleet
    who: str
    role: Role
    names: Mapping[str, str]
    values: Mapping[str, Any]
    redact: Redact | None
    now_s: float

    def __getitem__(self, name: str) -> Any:
        return self.names[name] if name in self.names else self.values[name]

    @property
    def rows(self) -> int:
        """How many rows are wanted: pages say `count`, programs `limit`."""
        limit: int = self.values["limit"] if "limit" in self.values else self.values["count"]
        return limit


# Functions of a question; they block.
Load = Callable[[Ask], Any]  # reads a view model
Do = Callable[[Ask], Outcome]  # changes something
Look = Callable[[Ask], Preview]  # says what would be changed
