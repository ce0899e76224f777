"""What a worker asks of its Redis before it starts."""

from __future__ import annotations

import pytest

from pillion.server.preflight import is_too_old, parse_info, warnings_for


def test_the_reply_of_info_is_read_line_by_line() -> None:
    reply = b"# Server\r\nredis_version:7.0.15\r\n\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n"
    assert parse_info(reply) == {"redis_version": "7.0.15", "maxmemory_policy": "noeviction"}


@pytest.mark.parametrize(
    ("version", "too_old"),
    [("5.0.14", True), ("6.0.20", True), ("6.2.0", False), ("7.0.15", False), ("10.1", False), ("unknown", False)],
)
def test_redis_below_6_2_is_refused(version: str, too_old: bool) -> None:
    assert is_too_old(version) is too_old


def test_a_redis_that_throws_keys_away_is_warned_about() -> None:
    [warning] = warnings_for({"maxmemory_policy": "allkeys-lru"})
    assert "'allkeys-lru'" in warning
    assert "noeviction" in warning


@pytest.mark.parametrize("info", [{}, {"maxmemory_policy": "noeviction"}])
def test_a_redis_that_keeps_everything_is_not(info: dict[str, str]) -> None:
    assert warnings_for(info) == []
