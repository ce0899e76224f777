"""The commands of `python -m shop`."""

from __future__ import annotations

import os
from typing import Any

import click
import httpx
import pillion
from pillion.api import ProcessSet
from sqlalchemy.exc import NoResultFound

from shop import load_drill, orders, page_times, services, setup
from shop.behaviours import Behaviour, set_behaviour
from shop.jobs import CompleteForgottenOrdersJob
from shop.visitor import Refused, Visitor

SECONDS = click.FloatRange(min=0, max=3600)
SERVICES = [service.name for service in services.all_services()]


class Commands(click.Group):
    """What goes wrong outside of this program is told in a line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (Refused, services.HTTPError, pillion.PillionError) as error:
            raise click.ClickException(str(error)) from None
        except httpx.TransportError as error:
            raise click.ClickException(f"{error}. Is the shop running? make shop starts it.") from None
        except NoResultFound:
            raise click.ClickException("There is no such order.") from None


@click.group(cls=Commands)
def main() -> None:
    """The order shop from a terminal. Start it first: make shop."""


@main.command("setup")
def set_up() -> None:
    """Recreate the database, with the sample data."""
    setup.recreate_database()


@main.command()
def reset() -> None:
    """Let services behave and forget, and empty Redis. For development and tests."""
    setup.forget_everything()


@main.command()
@click.argument("product")
@click.argument("quantity", type=int, default=1)
@click.option("--email", default="pat@example.com")
@click.option("--address", default="1 Main Street")
def order(product: str, quantity: int, email: str, address: str) -> None:
    """Place an order, by filling in the form of the shop."""
    with Visitor.of_environ(os.environ) as visitor:
        click.echo(visitor.place_order(product, quantity, email, address).url)


@main.command()
@click.argument("order_id", type=int)
def show(order_id: int) -> None:
    """Show how far an order is."""
    found = orders.find(order_id)
    click.echo(f"order {found.id}: {found.quantity} x {found.product.name}")
    click.echo(f"payment:     {found.charge_id or found.charge_decline_reason or '-'}")
    click.echo(f"email:       {found.email_id or '-'}")
    click.echo(f"fulfillment: {found.fulfillment_request_id or '-'}")


@main.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--throttle", is_flag=True, help="429 for each call.")
@click.option("--crash", is_flag=True, help="5xx for each call.")
@click.option("--sleep", "sleep_s", type=SECONDS, default=0.0, help="Seconds before each answer.")
def behave(service: str, throttle: bool, crash: bool, sleep_s: float) -> None:  # noqa: FBT001 - click passes them by name
    """Let a service misbehave; without options, let it behave again."""
    set_behaviour(service, Behaviour(throttle, crash, sleep_s))


@main.command()
@click.argument("service", type=click.Choice(SERVICES))
def rows(service: str) -> None:
    """Show what a service remembers."""
    found = next(each for each in services.all_services() if each.name == service).rows()
    if not found:
        click.echo("NONE YET")
        return
    for row in found:
        click.echo("  ".join(f"{name}={value}" for name, value in row.items()))


@main.command()
def nightly() -> None:
    """Push the job that looks for forgotten orders: for cron."""
    click.echo(CompleteForgottenOrdersJob.perform_async())


@main.command()
def check() -> None:
    """Tell the error catcher if no worker runs: for cron."""
    if ProcessSet().size() == 0:
        services.error_catcher().notify("Pillion is not running!")
        raise click.ClickException("Pillion is not running!")


@main.command()
@click.option("--orders", "count", type=click.IntRange(min=1), default=1000, help="How many orders to place.")
@click.option("--products", type=click.IntRange(min=1), default=10, help="How many products to order.")
def load(count: int, products: int) -> None:
    """Place many orders, watch them being completed, and count what was done for them."""
    with pillion.context(reason="load drill"):
        done = load_drill.run(count, products)
    click.echo(f"{count} orders: " + ", ".join(f"{rows} {name}" for name, rows in done.items()))


@main.command("page-times")
@click.option("--orders", "count", type=click.IntRange(min=1), default=100, help="How many orders to place.")
@click.option("--sleep", "sleep_s", type=SECONDS, default=10.0, help="Seconds before payments answer.")
def show_page_times(count: int, sleep_s: float) -> None:
    """Show how long a customer waits while payments are slow."""
    with Visitor.of_environ(os.environ) as visitor:
        visitor.place_order(page_times.PRODUCT, 1, "pat@example.com", "1 Main Street")  # the first one warms up
        found = page_times.measure(visitor, count, sleep_s)
    click.echo(f"{count} orders, one after the other, while payments take {sleep_s:g} s to answer")
    for name, times in found.items():
        click.echo(f"{name}:  p50 {times.p50_ms:.0f} ms  p99 {times.p99_ms:.0f} ms  slowest {times.max_ms:.0f} ms")
