"""`pillion deploy`: tell the charts that something was deployed."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("deploy")
def command() -> None:
    """Mark deploys, so that the charts of the metrics show what each has changed.

    \b
    Examples:
      pillion deploy mark
      pillion deploy mark v1.4.2
    """


@command.command("mark")
@click.argument("label", required=False)
@click.option("-C", "--config", "config_file", metavar="FILE", help="Settings file; says where Redis is.")
@click.option("-e", "--environment", metavar="NAME", help="Section of the settings file.")
def mark(label: str | None, config_file: str | None, environment: str | None) -> None:
    """Mark this minute as that of a deploy.

    LABEL is what charts show; without it, hash and subject of the last git commit of this folder. The same
    label counts once in 60 seconds, and of a minute the first label stays.
    """
    from pillion.api.deploy import Deploy, git_label
    from pillion.api.fleet import Fleet
    from pillion.settings.sources import load_config

    fleet = Fleet(load_config({"config": config_file, "environment": environment}, cwd=Path.cwd()).config)
    label = git_label() if label is None else label
    try:
        was_set = Deploy(fleet=fleet).mark(label)
    finally:
        fleet.close()
    click.echo(f"Marked: {label}" if was_set else f"Not marked, it was marked within the last minute: {label}")
