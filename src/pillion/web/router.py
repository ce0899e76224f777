"""From a request to its route: where we are mounted, and which row of the table it is. Pure.

Design record. Servers and frameworks differ in what `path` holds: Starlette's Mount and uvicorn's --root-path leave
the mount in it, others take it out. Here it is taken out if it is there, so that everything behind this
module sees paths below the mount, without a trailing slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pillion.web import paths
from pillion.web.errors import Refusal
from pillion.web.routes import Route


def split(scope: Mapping[str, Any]) -> tuple[str, str]:
    """Where we are mounted, without a trailing slash, and the path below it ("/" at least)."""
    root = str(scope.get("root_path", "")).rstrip("/")
    path = str(scope["path"])
    for prefix in (root, root.removeprefix(str(scope.get("app_root_path", "")).rstrip("/"))):
        # The second: a proxy has taken its own prefix away, and only the mounts inside of us are still in the path.
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            path = path[len(prefix) :]
            break
    return root, path.rstrip("/") or "/"


class Router:
    """The routes that answer here. Parameters: `routes`; with `read_only`, those that change something are left out."""

    def __init__(self, routes: Iterable[Route], *, read_only: bool) -> None:
        self._read_only = read_only
        kept = [route for route in routes if route.is_safe or not read_only]
        self.by_name: Mapping[str, Route] = {route.name: route for route in kept}
        if len(self.by_name) < len(kept):
            names = [route.name for route in kept]
            raise ValueError(f"Two routes are named {next(name for name in names if names.count(name) > 1)!r}")
        # A path without places comes before one that would take it for a name.
        ordered = sorted(kept, key=lambda route: len(paths.places(route.path)))
        self._matchers: list[tuple[re.Pattern[str], Route]] = [(paths.matcher(one.path), one) for one in ordered]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the names in its path. HEAD is answered as GET. Raises Refusal: not found, or wrong method."""
        method = "GET" if method == "HEAD" else method
        allowed: list[str] = []
        for pattern, route in self._matchers:
            found = pattern.fullmatch(path)
            if found is None:
                continue
            if route.method == method:
                return route, {name: paths.unsegment(text) for name, text in found.groupdict().items()}
            allowed.append(route.method)
        raise self._refusal(method, allowed)

    def _refusal(self, method: str, allowed: list[str]) -> Refusal:
        if self._read_only and method not in ("GET", "OPTIONS"):
            return Refusal("method", "This dashboard is read-only.", (("allow", "GET, HEAD"),))
        if not allowed:
            return Refusal("not_found", "There is no such page.")
        methods = ", ".join(sorted({*allowed, *({"HEAD"} if "GET" in allowed else ())}))
        return Refusal("method", f"Here only {methods} is answered.", (("allow", methods),))
