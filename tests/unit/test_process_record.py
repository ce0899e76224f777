"""What a process shows of itself: compared with what Sidekiq 8.1.7 wrote (wire-format 13)."""

from __future__ import annotations

import json

import pytest

from pillion import __version__
from pillion.config import Capsule, Config, QueueSpec
from pillion.server.process_record import (
    RttMonitor,
    beat_fields,
    build_info,
    parse_rss,
    process_title,
    resident_kib,
    work_fields,
)
from pillion.server.slot import WorkEntry

IDENTITY = "vm:25186:23318e6a3cfb"

# wire-format 13, with our version, and with `concurrency` where dashboards up to 8.1.1 look for it.
GOLDEN_INFO = (
    '{"hostname":"vm","started_at":1795300070.8934255,"pid":25186,"tag":"mytag","concurrency":3,'
    '"capsules":{"default":{"concurrency":2,"mode":"weighted","weights":{"high":3,"default":1}},'
    '"single":{"concurrency":1,"mode":"weighted","weights":{"single":2,"other":1}}},'
    '"queues":["high","default","single","other"],"weights":[{"high":3,"default":1},{"single":2,"other":1}],'
    f'"labels":[],"identity":"vm:25186:23318e6a3cfb","version":"{__version__}","embedded":false}}'
)


def golden_config() -> Config:
    config = Config(tag="mytag", concurrency=2, queues=["high,3", "default,1"])
    config.capsules["single"] = Capsule("single", [QueueSpec("single", 2), QueueSpec("other", 1)], 1)
    return config


def test_info_is_the_golden_one() -> None:
    info = build_info(golden_config(), IDENTITY, 1795300070.8934255, embedded=False)
    assert info.decode() == GOLDEN_INFO


def test_info_names_a_queue_of_two_capsules_once() -> None:
    config = Config(queues=["a", "b"])
    config.capsules["more"] = Capsule("more", [QueueSpec("b"), QueueSpec("c")], 1)
    assert json.loads(build_info(config, IDENTITY, 1.5, embedded=True))["queues"] == ["a", "b", "c"]


def test_info_gives_the_host_as_the_identity_does() -> None:
    info = json.loads(build_info(Config(), "fe80::1:77:abc", 1.5, embedded=False))
    assert (info["hostname"], info["pid"]) == ("fe80::1", 77)


def test_beat_fields_come_in_the_order_of_sidekiq() -> None:
    fields = beat_fields(b"{}", concurrency=3, busy=1, beat_s=1795300080.900098, rtt_us=293, quiet=False, rss_kib=26928)
    assert list(fields.items()) == [
        ("info", b"{}"),
        ("concurrency", 3),
        ("busy", 1),
        ("beat", 1795300080.900098),
        ("rtt_us", 293),
        ("quiet", "false"),
        ("rss", 26928),
    ]


def test_a_quiet_process_says_true() -> None:
    fields = beat_fields(b"{}", concurrency=1, busy=0, beat_s=1.5, rtt_us=1, quiet=True, rss_kib=1)
    assert fields["quiet"] == "true"


def test_a_work_entry_is_the_golden_one() -> None:
    payload = (
        b'{"retry":true,"queue":"default","args":[40],"class":"IterJob","jid":"ff783924d8ee0c8b2308a38c",'
        b'"created_at":1795300070532,"enqueued_at":1795300070532}'
    )
    assert work_fields([WorkEntry("kj2", "default", payload, 1795300070)]) == {
        "kj2": b'{"queue":"default","payload":"{\\"retry\\":true,\\"queue\\":\\"default\\",\\"args\\":[40],'
        b'\\"class\\":\\"IterJob\\",\\"jid\\":\\"ff783924d8ee0c8b2308a38c\\",\\"created_at\\":1795300070532,'
        b'\\"enqueued_at\\":1795300070532}","run_at":1795300070}'
    }


def test_a_payload_that_is_no_text_can_still_be_shown() -> None:
    (value,) = work_fields([WorkEntry("t", "q", b'{"a":"\xff"}', 1)]).values()
    assert json.loads(value)["payload"] == '{"a":"\ufffd"}'


def test_the_title_says_who_and_how_busy() -> None:
    assert process_title("shop", 2, 10, stopping=False) == f"pillion {__version__} shop [2 of 10 busy]"


def test_the_title_of_a_process_without_tag_that_stops() -> None:
    assert process_title("", 0, 5, stopping=True) == f"pillion {__version__} [0 of 5 busy] stopping"


def test_rtt_is_slow_after_five_slow_readings_in_a_row() -> None:
    monitor = RttMonitor()
    assert [monitor.is_slow(50_001) for _ in range(5)] == [False, False, False, False, True]


def test_rtt_starts_over_after_a_warning() -> None:
    monitor = RttMonitor()
    assert [monitor.is_slow(60_000) for _ in range(10)].count(True) == 2


def test_rtt_with_one_reading_at_the_limit_is_not_slow() -> None:
    monitor = RttMonitor()
    assert not any(monitor.is_slow(rtt_us) for rtt_us in (60_000, 60_000, 50_000, 60_000, 60_000))


@pytest.mark.parametrize(
    ("status", "kib"), [("Name:\tx\nVmPeak:\t   9 kB\nVmRSS:\t   26928 kB\n", 26928), ("Name:\tx\n", None)]
)
def test_rss_is_read_from_the_status_of_the_process(status: str, kib: int | None) -> None:
    assert parse_rss(status) == kib


def test_rss_of_this_process_is_in_kib() -> None:
    assert 1_000 < resident_kib() < 4_000_000
