"""Messages to the service manager (behaviour 23)."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pillion.server.systemd import READY, STOPPING, Notifier, watchdog_interval_s


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        receiver.setblocking(False)
        yield receiver


def test_states_arrive_in_order(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.notify(READY)
    notifier.notify(STOPPING, "STATUS=bye")
    assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1\nSTATUS=bye"]


def test_an_at_sign_names_an_abstract_socket() -> None:
    name = f"pillion-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{name}")
        receiver.setblocking(False)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).notify(READY)
        assert receiver.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier({})
    notifier.notify(READY)
    assert not notifier


def test_a_manager_that_cannot_be_reached_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).notify(READY)


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "999999"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_the_watchdog_is_fed(environ: dict[str, str], interval_s: float | None) -> None:
    assert watchdog_interval_s(environ, 42) == interval_s
