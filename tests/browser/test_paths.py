"""Two people: who has never seen it, and who is woken at three in the morning."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

PROGRAMS = {"pillion": [sys.executable, "-m", "pillion"], "python": [sys.executable]}


@pytest.fixture
def shell(tmp_path, redis_url):
    """Types a command into a terminal: `shell(command)` starts it in a folder of its own."""
    started = []

    def start(command):
        name, *words = shlex.split(command)
        environ = os.environ | {"REDIS_URL": redis_url}
        process = subprocess.Popen(
            [*PROGRAMS[name], *words], cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def step(page, number):
    return page.locator(".steps > li").nth(number - 1)


def command_of(page, number):
    return step(page, number).locator("pre").inner_text()


def test_a_newcomer_is_led_from_nothing_to_a_failed_job_that_is_explained(tmp_path, site, visit, shell):
    page = visit(site)
    page.evaluate("localStorage.setItem('pillion.live', '2')")
    page.reload()
    expect(page.locator("h1")).to_have_text("No job has run yet")

    assert "jobs.py" in step(page, 1).inner_text()
    Path(tmp_path / "jobs.py").write_text(command_of(page, 1))
    failing = command_of(page, 5)
    pushing = command_of(page, 3)
    shell(command_of(page, 2))
    expect(step(page, 2)).to_have_class(re.compile("done"))

    assert shell(pushing).wait(60) == 0
    expect(step(page, 3)).to_have_class(re.compile("done"))
    expect(step(page, 4)).to_have_class(re.compile("done"))

    assert shell(failing).wait(60) == 0
    expect(step(page, 5)).to_have_class(re.compile("done"))
    step(page, 5).get_by_role("link", name="Retries").click()
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("ZeroDivisionError")
    expect(row).to_contain_text("division by zero")

    row.locator("a.job").click()
    expect(page.locator("main")).to_contain_text("next try")
    expect(page.locator("main")).to_contain_text("jobs.py")
    page.get_by_role("button", name="Retry now").click()
    expect(page.locator(".toast")).to_contain_text("done")


@pytest.fixture
def night(fleet):
    """The fleet of the docs, its Redis nearly full."""
    used = fleet.client.info("memory")["used_memory"]
    fleet.client.config_set("maxmemory", int(used / 0.93))
    yield fleet
    fleet.client.config_set("maxmemory", 0)


def test_at_three_in_the_morning_the_first_screen_names_what_is_wrong(night, visit):
    page = visit(night.site)
    reasons = page.locator(".reasons h2").all_inner_texts()
    told = " ".join(page.locator(".reasons > li").all_inner_texts())
    assert page.locator("h1").inner_text() == "Unhealthy"
    assert any("mail" in reason and "no process" in reason for reason in reasons)
    assert any("PaymentJob fails" in reason for reason in reasons)
    assert any("Redis uses" in reason for reason in reasons)
    assert "198 jobs with TimeoutError" in told
    assert "after deploy a1b2c3d checkout" in told


def test_the_queue_without_workers_leads_to_the_command_that_starts_one(night, visit):
    page = visit(night.site)
    page.locator(".reasons > li", has_text="mail").get_by_role("link", name="See queue").click()
    expect(page.locator(".note")).to_contain_text("pillion run jobs.py -q mail")


def test_the_failing_class_leads_to_its_jobs_and_to_a_retry_in_two_clicks(night, visit):
    page = visit(night.site)
    page.locator(".reasons > li", has_text="PaymentJob fails").get_by_role("button", name="Retry them").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Retry 198")).to_be_visible()


def test_a_full_redis_leads_to_what_can_be_done(night, visit):
    page = visit(night.site)
    reason = page.locator(".reasons > li", has_text="Redis uses")
    assert "memory" in reason.inner_text()
    reason.get_by_role("link", name="See queues").click()
    page.wait_for_url("**/queues?sort=size")
