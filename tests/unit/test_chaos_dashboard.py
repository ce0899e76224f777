"""What `make chaos` says of the dashboard: the visitor's browser, and the judge of what it wrote down."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from chaos.browser import FOLDER_VARIABLE, TOKEN_VARIABLE, Browser, hidden_fields
from chaos.diary import Diary, Trouble
from chaos.driver import Driver
from chaos.report import Screen, record, show
from chaos.schedule import plan
from chaos.verdict import Verdict
from chaos.visitor import PAGES, walk_once
from chaos.visits import NO_ANSWER, Visit, answers_after_all, dashboard_faults, figures, read
from chaos.world import World

FAILED, SILENT = "dashboard failed", "dashboard did not answer"


def visit(status, path="/queues", *, at=100.0, method="GET", took_ms=100):
    return Visit(at, status, took_ms, method, path, "" if status else "ConnectionRefusedError")


def found(*visits, troubles=(), away=(), logs=None, seconds=10.0):
    return dashboard_faults(visits, Diary(troubles=list(troubles), web_away=list(away)), logs or {}, seconds)


@pytest.mark.parametrize("status", [200, 303, 304])
def test_an_answer_is_fine(status):
    assert found(visit(status)) == {}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 503])
def test_any_other_is_a_fault_with_path_and_time(status):
    assert found(visit(status)) == {FAILED: [f"100.000000 {status} 100 GET /queues"]}


@pytest.mark.parametrize(("path", "fine"), [("/jobs/abc?in=dead", True), ("/queues/low", True), ("/retries", False)])
def test_a_job_or_a_queue_may_be_gone(path, fine):
    assert (found(visit(404, path)) == {}) is fine


def test_what_is_to_be_done_may_have_changed_meanwhile():
    assert found(visit(409, "/bulk/retries/retry", method="POST")) == {}


@pytest.mark.parametrize(
    ("at", "fine"),
    [(94.8, False), (94.95, True), (97.0, True), (102.9, True), (103.1, False)],
)
def test_503_is_for_the_time_that_redis_is_away_and_some_seconds(at, fine):
    assert (found(visit(503, at=at), troubles=[Trouble(95.0, 98.0)]) == {}) is fine


def test_a_500_is_a_fault_even_then():
    assert FAILED in found(visit(500), troubles=[Trouble(95.0, 105.0)], away=[Trouble(95.0, 105.0)])


def test_the_line_of_the_west_is_not_the_dashboards():
    assert FAILED in found(visit(503), troubles=[Trouble(95.0, 105.0, frozenset({"west"}))])


def test_no_answer_is_for_the_time_that_the_dashboard_is_dead_and_no_longer():
    away = [Trouble(95.0, 98.0)]
    assert found(visit(NO_ANSWER, at=96.0), visit(503, at=99.0), away=away) == {}
    assert SILENT in found(visit(NO_ANSWER, at=98.5), away=away)
    assert SILENT in found(visit(NO_ANSWER, at=96.0), troubles=away)


def test_a_traceback_is_a_fault_in_its_own_log_only():
    text = "ready\nTraceback (most recent call last):\n  boom"
    faults = found(logs={"web-0001.log": "fine", "web-0002.log": text, "producer-sync.log": text})
    assert faults == {"traceback in the dashboard's log": [f"web-0002.log: {text[6:]}"]}


@pytest.mark.parametrize(("count", "seconds", "fine"), [(20, 60.0, True), (19, 60.0, False), (0, 59.0, True)])
def test_a_long_run_must_have_shown_pages(count, seconds, fine):
    assert ("dashboard hardly visited" not in found(*[visit(200)] * count, seconds=seconds)) is fine


def test_when_all_is_calm_every_page_answers():
    assert answers_after_all([visit(200), visit(503, "/busy")]) == ["100.000000 503 100 GET /busy"]


def test_figures_are_of_pages_and_of_buttons():
    visits = [visit(200, took_ms=7), visit(503, took_ms=900), visit(303, method="POST"), visit(409, method="POST")]
    wanted = {"pages": 2, "answered_200": 1, "slowest_ms": 7, "pressed": 2, "obeyed": 1}
    assert figures(visits) == wanted
    assert set(figures([])) == set(wanted)


def test_what_was_written_is_read_but_no_half_line(tmp_path):
    visits = [visit(200), visit(NO_ANSWER, "/jobs/a?in=dead&at=1.5"), visit(303, method="POST")]
    (tmp_path / "visits.txt").write_text("".join(f"{each}\n" for each in visits) + "100.0 20")
    assert read(tmp_path / "visits.txt") == visits
    assert read(tmp_path / "none.txt") == []


def test_the_dashboard_has_time_to_come_back_between_its_events():
    for seed in range(20):
        ours = [event for event in plan(seed, 300) if event.target == "web"]
        assert {event.what for event in ours} <= {"kill web", "freeze web"}
        assert 10 <= len(ours) <= 30
        assert all(one.at + one.lasts < two.at for one, two in itertools.pairwise(ours))


def test_a_verdict_without_a_dashboard_has_no_figures_of_it():
    assert Verdict().dashboard == {}


@pytest.mark.parametrize(
    ("code", "ended"), [("raise SystemExit('enough')", True), ("import time; time.sleep(600)", False)]
)
def test_a_dashboard_that_ended_by_itself_is_told_of(tmp_path, code, ended):
    world = World(tmp_path, None, 1)
    with (tmp_path / "web-0000.log").open("wb") as log:
        world.web = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    if ended:
        world.web.wait(30)
    world.kill_web()
    assert world.web is None
    assert world.ended_producers == (["web, exit code 1: enough\n"] if ended else [])


def test_a_form_is_sent_back_as_it_came():
    text = '<input type="hidden" name="q" value="a &amp; b"><input type="hidden" name="cutoff" value="1.5">'
    assert hidden_fields(text) == [("q", "a & b"), ("cutoff", "1.5")]


class Dashboard(BaseHTTPRequestHandler):
    """Gives a cookie, and answers with what it was asked for, to those who have it."""

    def do_GET(self):
        is_login = self.path.startswith("/login?token=")
        self.send_response(303 if is_login else 200 if self.headers["Cookie"] == "session=1" else 401)
        if is_login:
            self.send_header("Set-Cookie", "session=1; HttpOnly")
        self.end_headers()
        gone = self.path in ("/audit", "/metrics")
        self.wfile.write(b'<a href="/jobs/gone">' if gone else b'<a href="/jobs/abc?in=dead&amp;at=1">')

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        ours = self.headers["Origin"] == f"http://{self.headers['Host']}" and body == b"key=a+b"
        self.send_response(303 if ours else 403)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def browser(tmp_path):
    with HTTPServer(("127.0.0.1", 0), Dashboard) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "web-0001.log").write_text("http://127.0.0.1:1/login?token=old")
        (tmp_path / "web-0002.log").write_text(f"http://127.0.0.1:{server.server_port}/login?token=x")
        yield Browser({FOLDER_VARIABLE: str(tmp_path), TOKEN_VARIABLE: "secret"})
        server.shutdown()


def test_the_browser_logs_in_where_the_newest_log_says(browser):
    assert browser.get("/busy").visit.status == 200
    assert browser.post("/sets/retries/retry", [("key", "a b")]).visit.status == 303


def test_a_walk_has_each_page_and_that_of_a_job_that_is_still_there(browser):
    walked = walk_once(browser)
    assert [each.path for each in walked] == [*PAGES, "/jobs/abc?in=dead&at=1"]
    assert answers_after_all(walked) == []


def test_the_last_walk_comes_when_the_dashboard_had_its_time_to_come_back(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("chaos.driver.BACK_WITHIN_S", 0.2)
    console = Console(width=200, record=True)
    driver, found = Driver(tmp_path, None, 1, Screen(console, 1.0)), Verdict()
    away = driver.diary.without_web(0.2)
    walked = driver._walk_once_more()
    assert walked[0].began >= away.end + 0.2
    (tmp_path / "visits.txt").write_text(f"{visit(200)}\n")
    driver._judge_the_dashboard(found, [*walked, visit(503)])
    assert {what: len(lines) for what, lines in found.faults.items()} == {"dashboard failed when all was calm": 1}
    show(driver._screen, found, {})
    assert "dashboard: 1 pages visited, 1 of them answered 200, in 100 ms at most" in console.export_text()
    assert record(found, {})["dashboard"]["answered_200"] == 1


def test_a_dashboard_that_has_not_booted_is_waited_for(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("chaos.browser.BOOTS_WITHIN_S", 0.0)
    (tmp_path / "web-0003.log").touch()
    page = browser.get("/busy")
    assert (page.visit.status, page.visit.why) == (NO_ANSWER, "ConnectionRefusedError")
