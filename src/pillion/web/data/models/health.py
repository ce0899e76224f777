"""The verdict: is it healthy, if not why, and what helps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pillion.web.data.models.pieces import Fact, Facts, Health


@dataclass(slots=True, frozen=True)
class Cure:
    """One way out: a link (`method` "GET") or a button ("POST").

    `route` is the name of a route with its `params` (path and query together, as for `scope.url(route, **params)`);
    `fields` are the fields of the form of a button. `code` is the label ("see_queue", "pause", "retry_group",
    "what_to_do", ...), `text` its English. `explain` is more to say where there is no button: one command or
    advice.
    """

    code: str
    text: str
    route: str
    params: Facts = field(default_factory=dict[str, Fact])
    method: Literal["GET", "POST"] = "GET"
    fields: Facts = field(default_factory=dict[str, Fact])
    explain: str = ""


@dataclass(slots=True, frozen=True)
class Reason:
    """Why it is not healthy. `since` is when it began (epoch s), if that is known. The gravest come first.

    Codes and their facts are listed in `web.data.verdict`. `advice` are English sentences on what to do, the best
    first.
    """

    level: Health
    code: str
    text: str
    facts: Facts = field(default_factory=dict[str, Fact])
    since: float | None = None
    cures: tuple[Cure, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(slots=True, frozen=True)
class Verdict:
    """Is it healthy? `since` is when the oldest of the reasons began; None if all is well or nobody knows."""

    level: Health
    reasons: tuple[Reason, ...] = ()
    since: float | None = None
