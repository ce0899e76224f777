"""`pillion generate job`: the file of a new job, and a test that fails until somebody has written it."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import click

from pillion.cli.generate.names import read_name
from pillion.cli.generate.writing import JobOrder, find_base, write_job
from pillion.config import validate_queue_name


@click.group("generate")
def command() -> None:
    """Write files to begin with."""


@command.command("job")
@click.argument("name")
@click.option("-q", "--queue", metavar="QUEUE", help="The queue of the job (default).")
@click.option("--tests", metavar="FOLDER", default="tests/jobs", show_default=True, help="Where its test goes.")
@click.option("--no-test", is_flag=True, help="Write no test.")
def job(name: str, queue: str | None, tests: str, *, no_test: bool) -> None:
    """Write the job NAME, and a test of it.

    \b
    Examples:
      pillion generate job special_jobs/my_job --queue=high
      pillion generate job shop/jobs/charge_order --no-test

    special_jobs/my_job is the class MyJob in special_jobs/my_job.py. It derives from the ApplicationJob in the
    nearest application_job.py, if there is one. Both files come from templates; a project can have its own, in
    pillion_templates/job.py.txt and pillion_templates/test.py.txt.
    """
    folder = Path.cwd()
    names = read_name(name)
    if queue is not None:
        validate_queue_name(queue, "--queue")
    order = JobOrder(names, queue, find_base(names, folder), None if no_test else PurePosixPath(tests))
    for path in write_job(order, folder):
        click.echo(f"created  {path.relative_to(folder)}")
    click.echo("\n".join(["", *next_steps(order)]))


def next_steps(order: JobOrder) -> list[str]:
    """What to do now, line by line."""
    names, options = order.names, f" -q {order.queue}" if order.queue not in (None, "default") else ""
    lines = [f"Next: write {names.class_name}.perform in {names.path}. Then"]
    if order.tests is not None:
        lines.append(f"  python -m pytest {names.test_path(order.tests)}")
    return [
        *lines,
        f"  pillion run {names.module}{options}",
        f"  pillion push {names.module}.{names.class_name}",
    ]
