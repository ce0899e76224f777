"""Which keys belong to which owner, and which owners are missing from the list."""

from __future__ import annotations

import pytest

from pillion.server.orphans import missing_records, parse_held_key
from pillion.server.owner import OwnerRecord
from pillion.wire import keys


@pytest.mark.parametrize("queue", ["default", "a:b", "a_b.c-d:inflight:x", "7"])
@pytest.mark.parametrize("identity", ["vm:1:abc", "fe80::1:7:abc", "x:wait:y:1:n"])
def test_the_keys_of_an_owner_are_taken_apart_again(queue: str, identity: str) -> None:
    assert parse_held_key(keys.inflight(queue, identity).encode()) == (queue, identity)
    assert parse_held_key(keys.waiting(queue, identity).encode()) == (queue, identity)


@pytest.mark.parametrize("key", [b"queue:default", b"{queue:a}:other:x", b"{queue:a}:inflight:", b"vm:1:abc"])
def test_other_keys_are_left_alone(key: bytes) -> None:
    assert parse_held_key(key) is None


def test_an_unlisted_owner_gets_a_record_with_its_queues() -> None:
    found = missing_records({"vm:1:a": {"b", "a"}}, {})
    assert OwnerRecord.parse(found["vm:1:a"]) == OwnerRecord(("a", "b"))


def test_a_listed_owner_needs_no_new_record() -> None:
    assert missing_records({"vm:1:a": {"q"}}, {"vm:1:a": OwnerRecord(("q", "r")).dump()}) == {}


def test_a_listed_owner_keeps_what_is_known_of_it() -> None:
    known = OwnerRecord(("q",), "vm", 1, "boot", 2, 3)
    found = missing_records({"vm:1:a": {"r"}}, {"vm:1:a": known.dump()})
    assert OwnerRecord.parse(found["vm:1:a"]) == OwnerRecord(("q", "r"), "vm", 1, "boot", 2, 3)
