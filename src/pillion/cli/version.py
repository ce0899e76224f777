"""`pillion version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

from pillion._version import __version__

PARTS = ("redis", "hiredis", "msgspec")


@click.command("version")
def command() -> None:
    """Print the versions of Pillion, Python and the libraries it stands on.

    Good to put into a bug report.
    """
    click.echo(f"Pillion {__version__}")
    click.echo(f"Python {platform.python_version()} ({platform.python_implementation()}, {platform.system()})")
    for part in PARTS:
        click.echo(f"{part} {_version_of(part)}")


def _version_of(part: str) -> str:
    try:
        return version(part)
    except PackageNotFoundError:
        return "not installed"
