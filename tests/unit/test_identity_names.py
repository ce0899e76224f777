"""The name of a worker process, and its tag."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from pillion.server.identity import default_tag, make_identity, new_nonce


def test_a_nonce_is_twelve_lower_case_hex_characters() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", new_nonce())


def test_two_nonces_differ() -> None:
    assert new_nonce() != new_nonce()


def test_an_identity_is_host_pid_and_nonce() -> None:
    assert make_identity("a1b2c3d4e5f6", 42, {}) == f"{socket.gethostname()}:42:a1b2c3d4e5f6"


def test_without_a_pid_the_identity_is_that_of_this_process() -> None:
    assert make_identity("a1b2c3d4e5f6", environ={}).split(":")[1] == str(os.getpid())


def test_a_platform_that_names_its_container_in_DYNO_gives_the_host() -> None:
    assert make_identity("a1b2c3d4e5f6", 42, {"DYNO": "worker.1"}) == "worker.1:42:a1b2c3d4e5f6"


@pytest.mark.parametrize(
    ("directory", "tag"),
    [
        ("/srv/shop", "shop"),
        ("/srv/shop/releases/20260131120000", "shop"),
        ("/srv/shop/releases/next", "next"),
    ],
)
def test_the_default_tag_is_the_folder_of_the_app(directory: str, tag: str) -> None:
    assert default_tag(Path(directory)) == tag
