"""Pages to make a service misbehave."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from shop.behaviours import Behaviour, behaviour_of, set_behaviour
from shop.pages import templates
from shop.services import Service, all_services

router = APIRouter(prefix="/simulated_behaviors")
LONGEST_S = 3600.0


@router.get("/{name}/edit", response_class=HTMLResponse)
def edit(request: Request, name: str) -> HTMLResponse:
    """A form with the behaviour as it is."""
    service = _service(name)
    facts = {"service": service, "behaviour": behaviour_of(name), "longest_s": LONGEST_S}
    return templates.TemplateResponse(request, "behaviour.html", facts)


@router.post("/{name}")
def update(
    name: str,
    throttle: Annotated[bool, Form()] = False,  # noqa: FBT002 - a check box that is not checked sends nothing
    crash: Annotated[bool, Form()] = False,  # noqa: FBT002
    sleep_s: Annotated[float, Form(ge=0, le=LONGEST_S)] = 0.0,
) -> Response:
    """From now on the service behaves so."""
    set_behaviour(_service(name).name, Behaviour(throttle, crash, sleep_s))
    return RedirectResponse(f"/?updated={name}#{name}", status_code=303)


def _service(name: str) -> Service:
    for service in all_services():
        if service.name == name:
            return service
    raise HTTPException(404, f"There is no service {name!r}.")
