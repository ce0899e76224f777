"""`pillion deploy`: tell the charts that something was deployed."""

from __future__ import annotations

import click

from pillion.cli.redis_options import open_fleet, redis_options


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
@redis_options
def mark(label: str | None, config_file: str | None, environment: str | None) -> None:
    """Mark this minute as that of a deploy.

    LABEL is what charts show; without it, hash and subject of the last git commit of this folder. The same
    label counts once in 60 seconds, and of a minute the first label stays.
    """
    from pillion.api.deploy import Deploy, git_label

    with open_fleet(config_file, environment) as fleet:
        label = git_label() if label is None else label
        was_set = Deploy(fleet=fleet).mark(label)
    taken = "it was marked within the last minute, or this minute has another mark"
    click.echo(f"Marked: {label}" if was_set else f"Not marked, {taken}: {label}")
