"""The dashboard: `pillion web`, or inside an application of yours.

    from pillion.web import app

    api.mount("/jobs", app(auth=who_may))          # FastAPI, Starlette, any ASGI

Nothing here is loaded before it is used; it needs `pip install "pillion[web]"`.
"""

from pillion._lazy import lazy_names

# What type checkers see; at run time `__getattr__` below loads the same names, each when it is first used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.web.asgi_app import app as app
    from pillion.web.ask import Ask as Ask
    from pillion.web.extension import Extension as Extension
    from pillion.web.extension import Tab as Tab
    from pillion.web.routes import Route as Route
    from pillion.web.security.auth import BasicAuth as BasicAuth
    from pillion.web.security.auth import BearerTokens as BearerTokens
    from pillion.web.security.auth import FirstOf as FirstOf
    from pillion.web.security.auth import User as User
    from pillion.web.security.auth import Visitor as Visitor
    from pillion.web.wsgi_app import wsgi as wsgi

__all__ = [
    "Ask",
    "BasicAuth",
    "BearerTokens",
    "Extension",
    "FirstOf",
    "Route",
    "Tab",
    "User",
    "Visitor",
    "app",
    "wsgi",
]

# No module is named as what it offers: once imported, it would stand in the name's place.
_HOMES = {
    "asgi_app": ("app",),
    "ask": ("Ask",),
    "extension": ("Extension", "Tab"),
    "routes": ("Route",),
    "security.auth": ("BasicAuth", "BearerTokens", "FirstOf", "User", "Visitor"),
    "wsgi_app": ("wsgi",),
}

_load, __dir__ = lazy_names(__name__, _HOMES, globals())


def __getattr__(name: str) -> object:
    try:
        return _load(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "pillion":
            raise
        raise ImportError(f'pillion.web needs {error.name}: pip install "pillion[web]"', name=error.name) from error
