"""The dashboard as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pillion.api.fleet import Fleet
from pillion.config import Config
from pillion.web import audit, draw
from pillion.web.data.redaction import Redact
from pillion.web.desk import Desk, WebFleet
from pillion.web.errors import Refusal, log, needs_role, refusal_of
from pillion.web.extension import Extension
from pillion.web.handlers.dispatch import Handlers, handle, handle_public
from pillion.web.json_api.encode import PROBLEM_TYPE, problem
from pillion.web.json_api.openapi import is_api
from pillion.web.options import NOT_SAID, Options
from pillion.web.roles import Role, may
from pillion.web.routes import Route
from pillion.web.security.auth import Auth, User, identify
from pillion.web.security.headers import secured
from pillion.web.security.origin import host_name, is_known_host, why_foreign
from pillion.web.visit import Visit


def app(
    *,
    auth: Auth | None = NOT_SAID,
    read_only: bool = False,
    redact: Redact | None = None,
    arguments_for: Role = "viewer",
    extensions: Iterable[Extension] = (),
    title: str = "pillion",
    environment: str = "",
    hosts: Collection[str] | None = None,
    public_origin: str | None = None,
    config: Config | None = None,
    fleet: Fleet | None = None,
    clock: Callable[[], float] = time.time,
) -> Dashboard:
    """The dashboard, to be mounted at any path of an ASGI application (FastAPI, Starlette, Django), or served alone.

    Parameters:
        auth: a function of a `Visitor` that returns a `User`, or None for a stranger; it may be async. There is no
            default: None must be spelled out, and lets everybody do everything, but only under this machine's own
            names (see `hosts`).
        read_only: nothing that changes something answers.
        redact: what may be shown of a job's arguments and texts, `redact(job, field, value)`; see data.redaction.
        arguments_for: the least role that sees the arguments of jobs.
        extensions: more tabs.
        title: in the title of pages. environment: a badge, such as "prod".
        hosts: names that it may be asked under (the Host header). None: any, except that a dashboard without a login
            answers under localhost, 127.0.0.1 and ::1 only.
        public_origin: what browsers show, such as "https://jobs.example.com", if a proxy changes the Host header.
        config, fleet: where Redis is. By default what this process pushes jobs to. The dashboard opens
            connections of its own, except on a `fleet`.
        clock: epoch seconds, for tests.

    Raises ConfigError for what cannot be right. Connects when the first page is asked for.
    """
    where = fleet or WebFleet(config)
    return Dashboard(
        Options(
            auth=auth,
            read_only=read_only,
            redact=redact,
            arguments_for=arguments_for,
            extensions=tuple(extensions),
            title=title,
            environment=environment,
            hosts=hosts,
            public_origin=public_origin,
            fleet=where,
            clock=clock,
        )
    )


class Dashboard:
    """The ASGI application. Parameters: `options`, checked."""

    def __init__(self, options: Options) -> None:
        self._desk = Desk.build(options)
        self._handlers = Handlers.build(options.extensions)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the start and the end of a server too."""
        match scope["type"]:
            case "http":
                request = Request(scope, receive)
                answer = await self._answer(Visit.of(request, self._desk.options.public_origin))
                await answer(scope, receive, _secured_send(send, with_body=request.method != "HEAD"))
            case "lifespan":
                await self._live(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1008})

    def close(self) -> None:
        """Close the connections to Redis. A server does it at its end; where it is mounted, the end of the process."""
        self._desk.fleet.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        self.close()
        await send({"type": "lifespan.shutdown.complete"})

    # -- one request -------------------------------------------------------------------------------------

    async def _answer(self, visit: Visit) -> Response:
        users: list[User] = []  # who it is, once that is known: the page of an error after it is for them
        try:
            return await self._admit(visit, users)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody is shown a traceback
            refusal = refusal_of(error, draw.redis_label(self._desk))
            if is_api(visit.path):
                return Response(problem(refusal), refusal.status, dict(refusal.headers), PROBLEM_TYPE)
            return draw.error(self._desk, visit, users[0] if users else None, refusal)

    async def _admit(self, visit: Visit, users: list[User]) -> Response:
        """Host, origin, route, user, role: in this order, before anything else is looked at. Raises Refusal."""
        desk = self._desk
        _check_where_from(visit, desk.options)
        try:
            route, names = desk.router.find(visit.method, visit.path)
        except Refusal:
            # A stranger learns nothing, not even that.
            users.append(await identify(desk.options.auth, visit.visitor, desk.auth_threads))
            raise
        if route.role is None:
            return handle_public(desk, visit, route, names)
        user = await identify(desk.options.auth, visit.visitor, desk.auth_threads)
        users.append(user)
        if not may(user.role, route.role):
            await desk.threads.run(_note_refused, desk, visit, user, route, names)
            raise needs_role(route.role, user.role)
        return await handle(desk, self._handlers, visit, user, route, names)


def _check_where_from(visit: Visit, options: Options) -> None:
    """Raise Refusal for a name that we are not known under, and for what another site's page sent."""
    host = visit.headers.get("host", "")
    if not is_known_host(host, options.allowed_hosts):
        name = host_name(host)
        detail = f'This dashboard does not answer under the name {name!r}. If it should, give app() hosts=["{name}"].'
        raise Refusal("forbidden", detail)
    reason = why_foreign(visit.method, visit.headers, options.public_origin)
    if reason is not None:
        log.warning("Refused %s %s from %s: %s", visit.method, visit.path[:200], visit.address, reason)
        raise Refusal("forbidden", reason)


def _note_refused(desk: Desk, visit: Visit, user: User, route: Route, names: Mapping[str, str]) -> None:
    """Write down that somebody tried what is not for them; not more often than the log can bear."""
    if desk.refusals.allows(user.name):
        entry = audit.Entry(
            who=user.name,
            role=user.role,
            action=route.name.removeprefix("api_"),
            target=", ".join(names.values()),
            result="forbidden",
            address=visit.address,
        )
        audit.write(desk.fleet, entry)


def _secured_send(send: Send, *, with_body: bool) -> Send:
    """Add the headers that every answer has; leave the body out where HEAD asked."""

    async def forward(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": secured(message.get("headers", ()))}
        elif not with_body and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return forward
