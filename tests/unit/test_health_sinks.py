"""Where alerts go: each sink is given the payload (F212). The servers are real, and on this machine."""

import json
import logging
import socketserver
import threading
import urllib.error
from contextlib import contextmanager, suppress
from dataclasses import replace
from email import message_from_string
from email.policy import default as default_policy
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pillion.config import Config
from pillion.errors import ConfigError
from pillion.features.health import Alert, HealthError, email, error_catcher, log_sink, webhook

ALERT = Alert("queue_size_warning", "mail", 1500, 1000, "queue mail has 1500 jobs (limit 1000)", since=1.0, at=1.0)
OVER = Alert("queue_size_warning", "mail", 1500, 1000, "too many", state="recovered", since=1.0, at=61.0)


@contextmanager
def running(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted in `server.posts`; answers `server.answer`."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *words):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.posts, server.answer = [], 204
    server.url = f"http://127.0.0.1:{server.server_port}/alerts"
    with running(server):
        yield server


class Post(socketserver.StreamRequestHandler):
    """As much of SMTP as one mail needs; keeps the lines of the mail in `server.mail`."""

    def handle(self):
        self.say("220 test")
        while line := self.rfile.readline().decode().strip():
            if line.upper() == "DATA":
                self.say("354 go on")
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    self.server.mail.append(text)
            if line.upper() == "QUIT":
                self.say("221 bye")
                return
            self.server.commands.append(line)
            self.say("250 ok")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


def test_the_log_has_name_text_and_payload(caplog):
    with caplog.at_level(logging.INFO, "pillion"):
        log_sink()(ALERT)
        log_sink()(OVER)
    first, second = caplog.records
    assert first.getMessage() == "queue_size_warning:mail: queue mail has 1500 jobs (limit 1000)"
    assert (first.levelno, second.levelno) == (logging.WARNING, logging.INFO)
    assert first.alert["value"] == 1500


def test_a_webhook_gets_the_payload_as_json(hook):
    webhook(hook.url, headers={"X-Token": "t"})(ALERT)
    ((path, headers, body),) = hook.posts
    assert path == "/alerts"
    assert (headers["Content-Type"], headers["X-Token"]) == ("application/json", "t")
    assert body == json.loads(json.dumps(ALERT.payload()))
    assert (body["name"], body["value"], body["threshold"]) == ("queue_size_warning:mail", 1500, 1000)


def test_a_webhook_that_answers_with_an_error_raises(hook):
    hook.answer = 500
    with pytest.raises(urllib.error.HTTPError) as caught:
        webhook(hook.url)(ALERT)
    caught.value.close()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ops.example", "https://", ""])
def test_a_webhook_is_http(url):
    with pytest.raises(ConfigError, match="http"):
        webhook(url)


def test_a_mail_has_name_text_and_payload():
    with running(socketserver.TCPServer(("127.0.0.1", 0), Post)) as server:
        server.mail, server.commands = [], []
        host, port = server.server_address
        email(["ann@example.org", "bob@example.org"], sender="pillion@example.org", host=host, port=port)(ALERT)
    mail = "\n".join(server.mail)
    assert "To: ann@example.org, bob@example.org" in mail
    assert "Subject: [pillion] queue_size_warning:mail new" in mail
    assert "queue mail has 1500 jobs (limit 1000)" in mail
    assert '"threshold": 1000' in mail
    commands = [line.lower() for line in server.commands]  # smtplib has written them in both cases
    assert [line for line in commands if line.startswith("rcpt")] == [
        "rcpt to:<ann@example.org>",
        "rcpt to:<bob@example.org>",
    ]


def test_a_mail_goes_out_also_if_a_name_has_line_breaks():
    with running(socketserver.TCPServer(("127.0.0.1", 0), Post)) as server:
        server.mail, server.commands = [], []
        host, port = server.server_address
        hostile = replace(ALERT, subject="mail\r\nBcc: eve@example.org\x85")
        email(["ann@example.org"], sender="pillion@example.org", host=host, port=port)(hostile)
    message = message_from_string("\n".join(server.mail), policy=default_policy)
    assert message["Subject"] == "[pillion] queue_size_warning:mail��Bcc: eve@example.org� new"
    assert message["Bcc"] is None


class Dripping(socketserver.BaseRequestHandler):
    """An answer of many headers; it sends the next one only after the client has waited for it."""

    def handle(self):
        with suppress(OSError):
            self.request.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(40):
                self.server.gone.wait(0.1)
                self.request.sendall(b"X-%d: 1\r\n" % number)
            self.request.sendall(b"Content-Length: 0\r\n\r\n")


def test_a_webhook_that_answers_bit_by_bit_is_not_waited_for_beyond_its_time():
    with running(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping)) as server:
        server.gone = threading.Event()
        host, port = server.server_address
        try:
            with pytest.raises(TimeoutError, match=r"no answer within 0\.5 s"):
                webhook(f"http://{host}:{port}/", timeout_s=0.5)(ALERT)
        finally:
            server.gone.set()


@pytest.mark.parametrize("recipients", [[], "ann@example.org"])
def test_a_mail_needs_a_list_of_recipients(recipients):
    with pytest.raises(ConfigError, match="list of addresses"):
        email(recipients, sender="a@example.org")


def test_error_handlers_get_an_error_and_the_payload_but_not_what_is_over():
    seen = []
    config = Config(error_handlers=[lambda error, context, config: seen.append((error, context, config))])
    error_catcher(config)(ALERT)
    error_catcher(config)(OVER)
    ((error, context, given),) = seen
    assert isinstance(error, HealthError)
    assert "queue mail has 1500 jobs" in str(error)
    assert (context["context"], context["name"], given) == ("health", "queue_size_warning:mail", config)
