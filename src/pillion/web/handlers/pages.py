"""Pages: parameters to a view model to HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from pillion.web import draw
from pillion.web.ask import Ask, Load
from pillion.web.data.redaction import HIDE_ALL
from pillion.web.desk import Desk
from pillion.web.handlers.loaders import status_of
from pillion.web.params import read_all
from pillion.web.roles import may
from pillion.web.routes import Route
from pillion.web.security.auth import User
from pillion.web.visit import Visit

# Parameters of the machinery, not of a page.
_OURS = ("fragment",)


def ask_of(
    desk: Desk, user: User, route: Route, names: Mapping[str, str], given: Mapping[str, Any], *, strict: bool
) -> Ask:
    """The question of a request. Raises BadParam if `strict`."""
    kept = {name: values for name, values in given.items() if name not in _OURS}
    sees_arguments = may(user.role, desk.options.arguments_for)
    return Ask(
        data=desk.data,
        fleet=desk.fleet,
        who=user.name,
        role=user.role,
        names=names,
        values=read_all(route.params, kept, strict=strict),
        redact=desk.options.redact if sees_arguments else HIDE_ALL,
        now_s=desk.options.clock(),
    )


async def show(desk: Desk, visit: Visit, user: User, route: Route, names: Mapping[str, str], load: Load) -> Response:
    """Read and draw a page, in one of the dashboard's threads."""
    ask = ask_of(desk, user, route, names, visit.query, strict=False)
    return await desk.threads.run(_draw, desk, visit, user, route, ask, load)


def _draw(desk: Desk, visit: Visit, user: User, route: Route, ask: Ask, load: Load) -> Response:
    model = load(ask)
    return draw.page(desk, visit, user, template=route.name, model=model, status=status_of(model), active=route.name)
