"""Pillion's dashboard as a part of the shop."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

PATH = "/sidekiq"


def mount(app: FastAPI) -> None:
    """Show the dashboard at PATH, if there is one: to everybody on this machine, as the shop has no log-in."""
    dashboard = _dashboard()
    if dashboard is not None:
        app.mount(PATH, dashboard(auth=None, title="Order shop"))


def exists() -> bool:
    """Whether this Pillion has a dashboard, with all that it needs: see the extra `web`."""
    return _dashboard() is not None


def _dashboard() -> Any:
    try:
        from pillion.web import app
    except ImportError:
        return None
    return app
