"""The whole shop with one command: `make shop`, or `python -m shop.dev` in this folder.

Starts the web application, a worker, the fake services and, if no Redis is named, Pillion's embedded Redis. Ctrl-C
stops all of them. What they print is shown here, each line with the name of its process.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import ExitStack

import click

from shop import dashboard, serve
from shop.processes import Processes, stop_on_signals
from shop.settings import FOLDER
from shop.setup import set_up_if_new

STAGES = sorted(file.stem.removeprefix("stage_") for file in (FOLDER / "stages").glob("stage_*.py"))
LINKS = """
  shop        {web}
  dashboard   {dashboard}
  services    {fakes}     payments, email, fulfillment, error catcher
  data        {data}

Ctrl-C stops everything.
"""


@click.command()
@click.option("--stage", type=click.Choice(STAGES), help="Stage of the tutorial. Without it: the finished shop.")
@click.option("--worker/--no-worker", default=True, help="Whether jobs are run.")
def main(stage: str | None, worker: bool) -> None:  # noqa: FBT001 - click passes them by name
    """Start the shop, the worker and the fake services; Ctrl-C stops them."""
    with ExitStack() as stack:
        web = stack.enter_context(_listen("SHOP_PORT", 3000))
        fakes = stack.enter_context(_listen("FAKES_PORT", 3001))
        environ = _environ(stage, serve.url_of(fakes))
        os.environ.update(environ)
        set_up_if_new()
        processes = stack.enter_context(Processes(environ))
        stop_on_signals()
        processes.start("fakes", ["-m", "shop.serve", "fakes"], fakes)
        processes.start("web", ["-m", "shop.serve", "web"], web)
        if worker and stage != "0":
            processes.start("worker", ["-m", "pillion", "run", "-r", "shop.leashed_worker", *_worker_options(stage)])
        _show_links(web, fakes)
        sys.exit(processes.wait())


def _listen(variable: str, default: int) -> socket.socket:
    port = os.environ.get(variable) or str(default)
    try:
        return serve.listen(int(port))
    except (OSError, ValueError, OverflowError) as error:
        raise click.ClickException(f"Port {port} cannot be used ({error}). Set {variable} to another one.") from None


def _environ(stage: str | None, fakes: str) -> dict[str, str]:
    """What the processes need to find each other. What the user has set counts."""
    own = {
        "PAYMENTS_API_URL": f"{fakes}/payments",
        "EMAIL_API_URL": f"{fakes}/email",
        "FULLFILLMENT_API_URL": f"{fakes}/fulfillment",
        "ERROR_CATCHER_API_URL": f"{fakes}/error-catcher",
        "SHOP_STAGE": f"stages.stage_{stage}" if stage else "",
    }
    return own | dict(os.environ) | {"SHOP_STAGE": own["SHOP_STAGE"]}


def _worker_options(stage: str | None) -> list[str]:
    """The finished shop has its queues in pillion.toml; the early stages know no queue but `default`."""
    if not stage:
        return ["shop.worker"]
    return [f"stages.stage_{stage}", *([] if stage == "6" else ["-q", "default"])]


def _show_links(web: socket.socket, fakes: socket.socket) -> None:
    url = serve.url_of(web)
    links = {"web": url, "dashboard": f"{url}{dashboard.PATH}", "fakes": serve.url_of(fakes), "data": FOLDER / "var"}
    print(LINKS.format(**links), flush=True)


if __name__ == "__main__":
    main()
