"""`pillion web`: the dashboard on this machine, for the one who started it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pillion.cli.redis_options import redis_options, tell_if_embedded
from pillion.errors import ConfigError

if TYPE_CHECKING:
    from pillion.web.asgi_app import Dashboard
    from pillion.web.security.token_link import TokenLink

TOKEN_VARIABLE: Final = "PILLION_WEB_TOKEN"  # noqa: S105 - the name of a variable
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - to tell where we listen, not to listen there
_END_WITHIN_S: Final = 3


@click.command("web")
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen on this address.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any that is free.")
@click.option("--read-only", is_flag=True, help="Show only; nothing can be changed.")
@click.option(
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="admin",
    show_default=True,
    help="What the one with the link may do.",
)
@click.option("--allow-host", "hosts", multiple=True, metavar="NAME", help="Answer under this name too; repeatable.")
@click.option("--public-origin", metavar="URL", help="What browsers show, if a proxy is in front.")
@redis_options
def command(*, host: str, port: int, config_file: str | None, environment: str | None, **options: Any) -> None:
    """Show the dashboard, and print a link that lets you in.

    The link works once; the browser has a cookie from then on. For programs, or for a container whose terminal
    nobody reads, set PILLION_WEB_TOKEN to a secret of 20 characters or more: /login?token=SECRET works as often
    as one likes, and so does the header "Authorization: Bearer SECRET".

    \b
    Examples:
      pillion web
      pillion web --port 0 --read-only
      pillion web -C config.yml -e production
    """
    _check_extra()
    with suppress(KeyboardInterrupt), _listen(host, port) as listener:
        dashboard, link = _dashboard(Place.of(listener), config_file, environment, **options)
        _serve(dashboard, listener, link.announce)


@dataclass(slots=True, frozen=True)
class Place:
    """Where we listen."""

    host: str
    port: int

    @classmethod
    def of(cls, listener: socket.socket) -> Place:
        """The address that a socket was given."""
        host, port = listener.getsockname()[:2]
        return cls(host, port)

    def url(self, hosts: tuple[str, ...]) -> str:
        """How a browser on this machine gets there; under the first of `hosts` if we listen everywhere."""
        name = (hosts[0] if hosts else "127.0.0.1") if self.host in _EVERYWHERE else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}"


def _check_extra() -> None:
    try:
        import a2wsgi  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import jinja2  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import starlette  # noqa: F401  # pyright: ignore[reportUnusedImport]
        import uvicorn  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError as error:
        hint = 'They come with: pip install "pillion[web]"'
        raise ConfigError("pillion web", "starlette, jinja2, uvicorn and a2wsgi", error.name, hint) from None


def _listen(host: str, port: int) -> socket.socket:
    """A socket on the address. Raises ConfigError if there is no such address, or somebody else has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        hint = f"{error.strerror or error}. --port 0 takes any that is free."
        raise ConfigError("--host, --port", "an address that is free on this machine", f"{host}:{port}", hint) from None


def _dashboard(
    place: Place,
    config_file: str | None,
    environment: str | None,
    *,
    read_only: bool,
    role: Any,
    hosts: tuple[str, ...],
    public_origin: str | None,
) -> tuple[Dashboard, TokenLink]:
    from pillion.settings.sources import load_config
    from pillion.web.asgi_app import app
    from pillion.web.security.auth import User
    from pillion.web.security.origin import LOOPBACK
    from pillion.web.security.token_link import TokenLink

    config = load_config({"config": config_file, "environment": environment}, cwd=Path.cwd()).config
    tell_if_embedded(config)

    def tell(token: str) -> None:
        click.echo(f"The dashboard, for once: {place.url(hosts)}/login?token={token}")

    link = TokenLink(
        User("pillion web", role),
        # Browsers share cookies between ports: each dashboard has one of its own.
        cookie=f"pillion_session_{place.port}",
        tell=tell,
        fixed=os.environ.get(TOKEN_VARIABLE) or None,
    )
    dashboard = app(
        auth=link,
        read_only=read_only,
        environment=config.environment,
        hosts=(*LOOPBACK, *hosts, *(() if place.host in _EVERYWHERE else (place.host,))),
        public_origin=public_origin,
        config=config,
    )
    return dashboard, link


def _serve(dashboard: Dashboard, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Until Ctrl-C or TERM. `announce` is called when it answers."""
    import uvicorn

    class Announcing(uvicorn.Server):
        """Tells the link when Ctrl-C is already its own: not before it would end the process with a traceback."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Begin to answer."""
            await super().startup(sockets)
            announce()

    settings = uvicorn.Config(
        dashboard,
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # whoever connects could say anything
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_END_WITHIN_S,
    )
    Announcing(settings).run(sockets=[listener])
