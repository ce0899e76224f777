"""The scope of a request: who asks, from where, and how it is to be shown. What templates know as `scope`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from pillion.web import paths
from pillion.web.roles import Role, may
from pillion.web.routes import Route

Theme = Literal["auto", "light", "dark"]


@dataclass(slots=True, frozen=True)
class Flash:
    """What the last action did, said once after it. `text` is in the language of the one who reads it."""

    kind: Literal["ok", "fail"]
    text: str
    undo_id: str = ""


@dataclass(slots=True, frozen=True)
class TabLink:
    """A tab of an extension, as the navigation shows it."""

    name: str
    title: str
    href: str
    icon: str = ""


@dataclass(slots=True, frozen=True, kw_only=True)
class RequestScope:
    """One request.

    `who` is the name for the audit log, `role` what it may (None: a stranger, who sees an error). `root` is the
    mount without a trailing slash, `path` what comes after it, `query` the parameters as they came.
    `routes` are those that answer here; `active` is the name of the page. `environment` is the badge, such as
    "prod", or empty; `redis_label` host, port and database, never a password. `counts` are the numbers of the
    summary strip (`data.models`), None while Redis is away. `assets` is the plain name of a file to the one with
    its hash.
    """

    who: str
    role: Role | None
    root: str
    path: str
    query: tuple[tuple[str, str], ...]
    routes: Mapping[str, Route]
    active: str
    locale: str
    theme: Theme
    compact: bool
    read_only: bool
    title: str
    environment: str
    version: str
    redis_label: str
    tabs: tuple[TabLink, ...] = ()
    flash: Flash | None = None
    counts: Any = None
    assets: Mapping[str, str]

    def can(self, name: str) -> bool:
        """Whether this route answers here, and to this role; False for one that does not exist here."""
        route = self.routes.get(name)
        return route is not None and may(self.role, route.role)

    def url(self, name: str, /, **values: Any) -> str:
        """The address of a route: values for its places, the others as its query. None is left out, a list repeats.

        A name such as `in` goes as `in_`. Raises KeyError for a route that does not exist or a place without
        a value: templates are wrong then.
        """
        route = self.routes[name]
        taken = paths.places(route.path)
        path = paths.fill(route.path, {place: str(values[place]) for place in taken})
        rest = {key.removesuffix("_"): value for key, value in values.items() if key not in taken}
        return self.root + path + _query(rest)

    def here(self, **changes: Any) -> str:
        """This page's address with other parameters; None takes one out."""
        kept = {name: value for name, value in self.query if name != "fragment"}
        changed = {name.removesuffix("_"): value for name, value in changes.items()}
        return self.root + paths.quoted(self.path) + _query({**kept, **changed})

    @property
    def back(self) -> str:
        """This page below the mount, for the field `back` of forms."""
        return self.here().removeprefix(self.root)

    def asset(self, name: str) -> str:
        """The address of a file of the dashboard; it changes when the file does."""
        return self.url("asset", file=self.assets[name])


def _query(values: Mapping[str, Any]) -> str:
    said = {name: value for name, value in values.items() if value is not None and value != ""}
    return f"?{urlencode(said, doseq=True, errors='surrogateescape')}" if said else ""
