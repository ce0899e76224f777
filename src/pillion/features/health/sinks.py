"""Sinks: where alerts go (F212). A sink is anything that can be called with an `Alert`."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
import threading
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from email.message import EmailMessage
from urllib.parse import urlsplit

from pillion.config import Config
from pillion.errors import ConfigError
from pillion.features.health.alert import Alert, HealthError

Sink = Callable[[Alert], None]


def log_sink(logger: logging.Logger | None = None) -> Sink:
    """Log each alert: a warning, an error if it is critical, an information if it is over. Logger "pillion"."""
    target = logger or logging.getLogger("pillion")

    def send(alert: Alert) -> None:
        level = logging.ERROR if alert.level == "critical" else logging.WARNING
        level = logging.INFO if alert.state == "recovered" else level
        target.log(level, "%s: %s", alert.name, alert.text, extra={"alert": alert.payload()})

    return send


def webhook(url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0) -> Sink:
    """POST each alert's `payload()` as JSON to `url` (http or https).

    Parameters: `headers` are added to Content-Type; `timeout_s` bounds all of it, in seconds, from the look-up
    of the host to the end of the answer's headers. An answer other than 2xx or 3xx is an error. Raises
    ConfigError for a URL that cannot be right.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError("webhook", "a URL with http:// or https://", url)

    def send(alert: Alert) -> None:
        body = json.dumps(alert.payload()).encode()
        fields = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, body, fields, method="POST")  # noqa: S310 - the scheme is checked above

        def post() -> None:
            with urllib.request.urlopen(request, timeout=timeout_s):  # noqa: S310
                pass

        _in_time(post, timeout_s)

    return send


def _in_time(work: Callable[[], None], timeout_s: float) -> None:
    """Do `work` in a thread of its own, and wait so long for it.

    A socket's timeout is for each read: a server that sends a byte now and then would hold up everything.
    """
    failures: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as exc:  # noqa: BLE001 - it is raised below
            failures.append(exc)

    thread = threading.Thread(target=run, name="pillion.webhook", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {timeout_s:g} s")
    if failures:
        raise failures[0]


def email(
    recipients: Sequence[str],
    *,
    sender: str,
    host: str = "localhost",
    port: int = 25,
    username: str | None = None,
    password: str | None = None,
    starttls: bool = False,
    timeout_s: float = 10.0,
) -> Sink:
    """Mail each alert through an SMTP server at `host`:`port`; `timeout_s` bounds each of its answers, in seconds.

    `starttls` encrypts the connection; `username` and `password` log in. Raises ConfigError without recipients.
    """
    if isinstance(recipients, str) or not recipients:
        raise ConfigError("recipients", "a list of addresses", recipients)

    def send(alert: Alert) -> None:
        message = EmailMessage()
        message["From"], message["To"] = sender, ", ".join(recipients)
        # A name with a line break in it is no header, and names of queues and classes are anybody's.
        name = "".join(sign if sign.isprintable() else "�" for sign in alert.name)
        message["Subject"] = f"[pillion] {name} {alert.state}"
        message.set_content(f"{alert.text}\n\n{json.dumps(alert.payload(), indent=2)}\n")
        with smtplib.SMTP(host, port, timeout=timeout_s) as server:
            if starttls:
                server.starttls(context=ssl.create_default_context())
            if username is not None:
                server.login(username, password or "")
            server.send_message(message)

    return send


def error_catcher(config: Config) -> Sink:
    """Call the config's error handlers with each alert as a HealthError: whatever reports failed jobs reports it too.

    What is over is not reported: those who collect errors have no use for it.
    """

    def send(alert: Alert) -> None:
        if alert.state == "recovered":
            return
        error = HealthError(f"{alert.name}: {alert.text}")
        for handler in config.error_handlers:
            handler(error, {"context": "health", **alert.payload()}, config)

    return send
