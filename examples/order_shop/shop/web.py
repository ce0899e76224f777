"""The web application: `python -m shop.serve web`."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pillion.contrib.context import ContextMiddleware

from shop import dashboard
from shop.pages import behaviours, orders, welcome
from shop.request_timeout import RequestTimeout
from shop.settings import FOLDER, settings


def create_app() -> FastAPI:
    """The shop: its pages, and Pillion's dashboard below /sidekiq."""
    app = FastAPI(title="Order shop", openapi_url=None)
    app.include_router(welcome.router)
    app.include_router(orders.router)
    app.include_router(behaviours.router)
    app.mount("/static", StaticFiles(directory=FOLDER / "shop" / "static"))
    dashboard.mount(app, settings().dashboard_password)
    app.add_middleware(RequestTimeout, timeout_s=settings().request_timeout_s)
    app.add_middleware(ContextMiddleware)  # each request has an id, which its jobs carry in their log lines
    return app
