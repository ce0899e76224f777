"""PL-CTX: which pushes of which jobs must state a context (F131, F134)."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from pillion.cli.lint.check import check_text
from pillion.cli.lint.command import CODES

CODES_HERE = frozenset(CODES) & {"PL-CTX", "PL-REASON"}


def found(source: str) -> list[str]:
    findings = check_text("jobs.py", dedent(source).lstrip("\n"), CODES_HERE)
    return [f"{finding.line} {finding.code}" for finding in findings]


def timed(body: str, base: str = "Job", marker: str = "carries_context = False") -> str:
    """A job with this body; it begins in line 4."""
    head = f"class NightlyJob({base}):\n    {marker}\n    def perform(self):\n"
    return head + indent(dedent(body).strip("\n"), "        ") + "\n"


@pytest.mark.parametrize(
    "push",
    [
        "CleanUpJob.perform_async(1)",
        "CleanUpJob.perform_in(60, 1)",
        "CleanUpJob.perform_at(when, 1)",
        "CleanUpJob.perform_bulk([[1]])",
        "CleanUpJob.bulk_perform_in(60, [[1]])",
        "CleanUpJob.perform_chunked(ids, of=10)",
        "CleanUpJob.set(queue='low').perform_async(1)",
        "shop.jobs.clean_up.perform_async(1)",
        "self.perform_async()",
        "await CleanUpJob.perform_async.aio(1)",
        "jids = [CleanUpJob.perform_async(n) for n in range(3)]",
        "with lock: CleanUpJob.perform_async(1)",
    ],
)
def test_a_push_outside_of_a_block_is_reported(push):
    source = timed(push).replace("def perform", "async def perform" if "await" in push else "def perform")
    assert found(source) == ["4 PL-CTX"]


@pytest.mark.parametrize(
    "body",
    [
        "with self.with_context(project=1):\n    CleanUpJob.perform_async(1)",
        "with pillion.context(project=1):\n    for n in x:\n        CleanUpJob.perform_async(n)",
        "with lock, context(project=1):\n    CleanUpJob.perform_async(1)",
        "with no_context():\n    CleanUpJob.perform_async(1)",
        "CleanUpJob.bulk_perform_async_with_contexts(x, arguments=f, context=g)",
        "CleanUpJob.bulk_perform_in_with_contexts(60, x, arguments=f, context=g)",
        "CleanUpJob().perform(1)",
        "CleanUpJob.perform_inline(1)",
        "perform_async(1)",
    ],
)
def test_what_states_a_context_or_pushes_nothing_passes(body):
    assert found(timed(body)) == []


def test_an_async_block_states_one_too():
    source = timed("async with self.with_context(project=1):\n    await CleanUpJob.perform_async.aio(1)")
    assert found(source.replace("def perform", "async def perform")) == []


@pytest.mark.parametrize("base", ["CronJob", "pillion.CronJob", "NightlyCronJob", "CronJobQueue, Job"])
def test_a_base_marks_it_too(base):
    assert found(timed("CleanUpJob.perform_async(1)", base=base, marker="x = 1")) == ["4 PL-CTX"]


def test_so_does_a_base_of_the_same_file_unless_the_class_says_otherwise():
    source = """
        class TimedJob(Job):
            carries_context: bool = False

        class AJob(TimedJob):
            def perform(self):
                CleanUpJob.perform_async(1)

        class BJob(TimedJob):
            carries_context = True
            def perform(self):
                CleanUpJob.perform_async(1)
    """
    assert found(source) == ["6 PL-CTX"]


@pytest.mark.parametrize("marker", ["x = 1", "carries_context = True", "carries_context = flag"])
def test_other_jobs_push_what_they_like(marker):
    assert found(timed("CleanUpJob.perform_async(1)", marker=marker)) == []


def test_every_method_is_looked_at():
    source = timed("self.each()") + "    def each(self):\n        CleanUpJob.perform_async(1)\n"
    assert found(source) == ["6 PL-CTX"]


def test_a_reason_switches_it_off_and_no_reason_does_not():
    reason = "CleanUpJob.perform_async(1)  # pillion: disable=PL-CTX because it is about all projects"
    assert found(timed(reason)) == []
    assert found(timed("CleanUpJob.perform_async(1)  # pillion: disable=PL-CTX")) == ["4 PL-CTX", "4 PL-REASON"]


def test_the_message_names_the_method_and_both_ways_out():
    (finding,) = check_text("jobs.py", timed("CleanUpJob.perform_async(1)"), CODES_HERE)
    assert finding.message.startswith("NightlyJob.perform pushes a job without a context")
    assert "with self.with_context(...)" in finding.message
    assert "bulk_perform_async_with_contexts" in finding.message
