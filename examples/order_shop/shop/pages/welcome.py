"""The welcome page: the orders, and whether everything is up."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from shop import orders
from shop.pages import templates
from shop.services.status import all_statuses

router = APIRouter()
SHOWN = 50


@router.get("/", response_class=HTMLResponse)
def welcome(request: Request, updated: str = "") -> HTMLResponse:
    """The welcome page. `updated` names the service whose behaviour has just been set: its box is open."""
    facts = {"orders": orders.latest(SHOWN), "count": orders.count(), "services": all_statuses(), "updated": updated}
    return templates.TemplateResponse(request, "welcome.html", facts)
