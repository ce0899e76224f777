"""The fake services as one web application: `python -m shop.serve fakes`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from fakes.control import AcceptedTypes, ControlHeaders
from fakes.email import Email
from fakes.error_catcher import ErrorCatcher
from fakes.fulfillment import Fulfillment
from fakes.payments import Payments
from fakes.tables import page


def create_app() -> Starlette:
    """Four services that have not been called yet."""
    mounts = [
        Mount("/payments", routes=Payments().routes),
        Mount("/email", routes=Email().routes),
        Mount("/fulfillment", routes=Fulfillment().routes),
        Mount("/error-catcher", routes=ErrorCatcher().routes),
    ]
    middleware = [Middleware(AcceptedTypes), Middleware(ControlHeaders)]
    return Starlette(routes=[Route("/", root), *mounts], middleware=middleware)


async def root(_request: Request) -> HTMLResponse:
    """Links to what each service remembers."""
    names = ("payments", "email", "fulfillment", "error-catcher")
    links = "".join(f'<li><a href="/{name}/ui">{name}</a></li>' for name in names)
    return page("Fake services", f"<ul>{links}</ul>")
