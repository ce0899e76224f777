"""The dashboard: `pillion web`, or inside an application of yours.

    from pillion.web import app

    api.mount("/jobs", app(auth=who_may))          # FastAPI, Starlette, any ASGI

Nothing here is loaded before it is used; it needs `pip install "pillion[web]"`.
"""

from importlib import import_module

# What type checkers see; at run time `__getattr__` below loads the same names, each when it is first used.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.web.app import app as app
    from pillion.web.extension import Extension as Extension
    from pillion.web.extension import Tab as Tab
    from pillion.web.security.auth import User as User
    from pillion.web.wsgi import wsgi as wsgi

__all__ = ["Extension", "Tab", "User", "app", "wsgi"]

_HOME_OF = {"app": "app", "wsgi": "wsgi", "Extension": "extension", "Tab": "extension", "User": "security.auth"}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
