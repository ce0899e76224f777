"""`pillion web` as a real process: its link, its cookie, its end."""

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from web_scene import QUEUE, fill

LINK = re.compile(r"(http://\S+)/login\?token=(\S+)")
WATCHDOG_S = 90
SECRET = "a-secret-of-the-test-0123"


class Web:
    """A `pillion web`. `url` is where it is, `token` what its link has."""

    def __init__(self, redis_url, folder, *arguments, **environ):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pillion", "web", "--port", "0", *arguments],
            cwd=folder,
            env={**os.environ, "REDIS_URL": redis_url, "PYTHONUNBUFFERED": "1", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        found = LINK.search(line)
        assert found, line + self.process.stderr.read()
        self.url, self.token = found.groups()

    def end(self, signum):
        self.process.send_signal(signum)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def start(redis_url, raw, tmp_path):
    fill(raw)
    started = []

    def begin(*arguments, **environ):
        started.append(Web(redis_url, tmp_path, *arguments, **environ))
        return started[-1]

    yield begin
    for web in started:
        if web.process.poll() is None:
            web.end(signal.SIGKILL)


def test_the_link_lets_in_and_a_button_works(start, raw):
    web = start()
    with httpx.Client(base_url=web.url, timeout=WATCHDOG_S) as browser:
        assert browser.get("/").status_code == 401
        assert browser.get(f"/login?token={web.token}", follow_redirects=True).status_code == 200
        assert QUEUE in browser.get("/queues").text
        answer = browser.post(f"/queues/{QUEUE}/pause", headers={"origin": web.url})
        assert answer.status_code == 303
        assert raw.smembers("paused") == {QUEUE.encode()}
        assert browser.post(f"/queues/{QUEUE}/resume").status_code == 403
        assert httpx.get(f"{web.url}/login?token={web.token}", timeout=WATCHDOG_S).status_code == 401


def test_it_listens_on_this_machine_under_this_machines_name(start):
    web = start()
    assert web.url.startswith("http://127.0.0.1:")
    answer = httpx.get(web.url, headers={"host": "evil.test"}, timeout=WATCHDOG_S)
    assert answer.status_code == 403


def test_ctrl_c_ends_it_quietly(start):
    code, out, err = start().end(signal.SIGINT)
    assert (code, out, err) == (0, "", "")


def test_term_ends_it_quietly(start):
    code, _, err = start().end(signal.SIGTERM)
    assert code in (0, -signal.SIGTERM)
    assert "Traceback" not in err


def test_read_only(start, raw):
    web = start("--read-only", PILLION_WEB_TOKEN=SECRET)
    answer = httpx.post(
        f"{web.url}/api/v1/queues/{QUEUE}:pause", headers={"authorization": f"Bearer {SECRET}"}, timeout=WATCHDOG_S
    )
    assert (answer.status_code, answer.json()["detail"]) == (405, "This dashboard is read-only.")
    assert not raw.exists("paused")


def test_a_role(start):
    web = start("--role", "viewer", PILLION_WEB_TOKEN=SECRET)
    headers = {"authorization": f"Bearer {SECRET}"}
    assert httpx.get(f"{web.url}/api/v1/stats", headers=headers, timeout=WATCHDOG_S).status_code == 200
    assert httpx.post(f"{web.url}/api/v1/queues/{QUEUE}:pause", headers=headers, timeout=WATCHDOG_S).status_code == 403


def test_two_on_one_machine_do_not_log_each_other_out(start):
    first, second = start(), start()
    with httpx.Client(timeout=WATCHDOG_S) as browser:
        for web in (first, second):
            browser.get(f"{web.url}/login?token={web.token}")
        for web in (first, second):
            assert browser.get(f"{web.url}/queues").status_code == 200


def test_a_port_that_is_taken_is_told(redis_url, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "pillion", "web", "--port", port],
            cwd=tmp_path,
            env={**os.environ, "REDIS_URL": redis_url},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert port in done.stderr
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_that_is_short_is_told(redis_url, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "pillion", "web", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "REDIS_URL": redis_url, "PILLION_WEB_TOKEN": "short"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "20 characters" in done.stderr


def test_an_outage_while_it_starts_does_not_stop_it(own_redis, tmp_path):
    own_redis.kill()
    web = Web(own_redis.url, tmp_path, PILLION_WEB_TOKEN=SECRET)
    try:
        headers = {"authorization": f"Bearer {SECRET}"}
        assert httpx.get(f"{web.url}/queues", headers=headers, timeout=WATCHDOG_S).status_code == 503
        own_redis.start()
        assert httpx.get(f"{web.url}/queues", headers=headers, timeout=WATCHDOG_S).status_code == 200
    finally:
        web.end(signal.SIGKILL)
