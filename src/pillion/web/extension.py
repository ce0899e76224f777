"""Extensions: tabs that others add to the dashboard, with pages, buttons and JSON of their own.

    batches = Extension(
        name="batches",
        tab=Tab(route="batches", title="Batches"),
        routes=(Route(name="batches", method="GET", path="/batches", kind="page", role="viewer", summary="..."),),
        pages={"batches": load_batches},         # (Ask) -> view model, drawn by templates/pages/batches.html
        templates=HERE / "templates",
    )
    app(auth=..., extensions=[batches])

Its routes stand in the same table as ours: roles, CSRF, clamps, audit and headers are the same, and are not its
business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pillion.errors import ConfigError
from pillion.web.ask import Do, Load, Look
from pillion.web.routes import Route


@dataclass(slots=True, frozen=True, kw_only=True)
class Tab:
    """A tab in the navigation: the page it leads to (the name of a route), what it says, and a name of an icon."""

    route: str
    title: str
    icon: str = ""


@dataclass(slots=True, frozen=True, kw_only=True)
class Extension:
    """What somebody adds. Everything blocks and is called in a thread.

    Parameters: `pages` are, by name of the route, functions of an Ask that return a frozen dataclass, drawn by
    `pages/NAME.html` of `templates`, or written as JSON for a route of kind "api"; one with a `frame`
    (`ask.data.frame()`) costs no second round trip for the bar on top. `actions` return an Outcome; `previews` are
    needed for routes with `confirm`. `assets` is a folder of files for `scope.asset`. Raises ConfigError for a
    route without its function, or the other way round.
    """

    name: str
    routes: tuple[Route, ...]
    tab: Tab | None = None
    pages: Mapping[str, Load] = field(default_factory=dict[str, Load])
    actions: Mapping[str, Do] = field(default_factory=dict[str, Do])
    previews: Mapping[str, Look] = field(default_factory=dict[str, Look])
    templates: Path | None = None
    assets: Path | None = None

    def __post_init__(self) -> None:
        looking = {route.name for route in self.routes if route.method == "GET"}
        acting = {route.name for route in self.routes if route.method != "GET"}
        asking = {route.name for route in self.routes if route.confirm}
        for option, names in (("pages", looking), ("actions", acting), ("previews", asking)):
            if set(getattr(self, option)) != names:
                raise ConfigError(f"{self.name}.{option}", f"one function for each of {sorted(names)}", sorted(names))
        if self.tab is not None and self.tab.route not in looking:
            raise ConfigError(f"{self.name}.tab", f"the name of a page: one of {sorted(looking)}", self.tab.route)
