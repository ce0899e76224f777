"""Which function answers which route: the one place where names of the table become code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.responses import Response

from pillion.web.ask import Load, Look
from pillion.web.desk import Desk
from pillion.web.extension import Extension
from pillion.web.handlers import actions, files, loaders, pages, reads
from pillion.web.handlers.doing import ACTIONS, PREVIEWS, Do
from pillion.web.json_api import sidekiq
from pillion.web.routes import Route
from pillion.web.security.auth import User
from pillion.web.security.token_link import TokenLink
from pillion.web.visit import Visit


@dataclass(slots=True, frozen=True)
class Handlers:
    """Functions by the name of their route. `loads` are drawn or written as JSON; `does` change something."""

    loads: Mapping[str, Load]
    does: Mapping[str, Do]
    looks: Mapping[str, Look]

    @classmethod
    def build(cls, extensions: Iterable[Extension]) -> Handlers:
        """The dashboard's own, and those of extensions."""
        loads: dict[str, Load] = {
            **loaders.PAGES,
            **{f"api_{name}": load for name, load in loaders.API.items()},
            "stats": sidekiq.stats,
            "stats_queues": sidekiq.queues,
        }
        does: dict[str, Do] = {**ACTIONS, **{f"api_{name}": do for name, do in ACTIONS.items()}}
        looks: dict[str, Look] = {**PREVIEWS, **{f"api_{name}": look for name, look in PREVIEWS.items()}}
        for extension in extensions:
            loads |= extension.pages
            does |= extension.actions
            looks |= extension.previews
        return cls(loads, does, looks)


async def handle(
    desk: Desk, handlers: Handlers, visit: Visit, user: User, route: Route, names: Mapping[str, str]
) -> Response:
    """The answer for somebody who may use the route. Raises what the functions raise."""
    if route.kind == "own":
        return await actions.prefer(desk, visit, route)
    if route.method != "GET":
        do, look = handlers.does[route.name], handlers.looks.get(route.name)
        return await actions.carry_out(desk, visit, user, route, names, do, look)
    if route.kind == "page":
        return await pages.show(desk, visit, user, route, names, handlers.loads[route.name])
    match route.name.removeprefix("api_"):
        case "export_csv" | "export_ndjson" as name:
            ask = pages.ask_of(desk, user, route, names, visit.query, strict=route.kind == "api")
            return await files.export(desk, visit, ask, name.removeprefix("export_"))
        case "openapi":
            return reads.describe(desk, visit, handlers.loads)
        case _:
            return await reads.read(desk, visit, user, route, names, handlers.loads[route.name])


def handle_public(desk: Desk, visit: Visit, route: Route, names: Mapping[str, str]) -> Response:
    """The answer of a route that needs no login."""
    auth = desk.options.auth
    if route.name == "login" and isinstance(auth, TokenLink):
        return files.log_in(auth, visit)
    return files.asset(desk, names["file"])
