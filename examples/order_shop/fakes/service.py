"""What the fake services have in common: a list of what they did, as HTML, as JSON, and to be cleared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Route

from fakes.tables import page, table


class FakeService:
    """Everything happens on one event loop, so nothing here needs a lock."""

    title: ClassVar[str]
    list_path: ClassVar[str]
    columns: ClassVar[Mapping[str, str]]  # heading on the page: field of a row

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    @property
    def routes(self) -> list[Route]:
        """The addresses that all of them have; a subclass adds its own."""
        return [
            Route("/status", self.status),
            Route("/ui", self.ui),
            Route(f"/{self.list_path}", self.show, methods=["GET"]),
            Route(f"/{self.list_path}", self.clear, methods=["DELETE"]),
        ]

    async def status(self, _request: Request) -> JSONResponse:
        """Up, if you can read this."""
        return JSONResponse({"status": "up", f"num_{self.list_path}": len(self.rows)})

    async def ui(self, _request: Request) -> HTMLResponse:
        """What it did, for people."""
        return page(self.title, table(self.columns, self.rows))

    async def show(self, _request: Request) -> JSONResponse:
        """What it did, for programs."""
        return JSONResponse(self.rows)

    async def clear(self, _request: Request) -> JSONResponse:
        """Forget everything."""
        self.rows.clear()
        return JSONResponse({"status": "cleared"})
