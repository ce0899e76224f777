"""Pillion's dashboard as a part of the shop."""

from __future__ import annotations

from importlib.util import find_spec

from fastapi import FastAPI

PATH = "/sidekiq"


def exists() -> bool:
    """Whether the installed Pillion has a dashboard."""
    return find_spec("pillion.web") is not None and find_spec("pillion.web.app") is not None


def mount(app: FastAPI) -> None:
    """Show the dashboard at PATH, if there is one: to everybody on this machine, as the shop has no log-in."""
    if exists():
        import pillion.web

        app.mount(PATH, pillion.web.app(auth=None, title="Order shop"))
