"""Queues through the data API: sizes, ages, pages, searches, deletions (behaviour 18)."""

import asyncio
import json
from collections import Counter

import pytest
from services import Watch, job

from pillion.api.fleet import Fleet
from pillion.api.queues import JobRecord, Queue
from pillion.api.undo import Undo
from pillion.config import Config, RedisConfig
from pillion.errors import ConfigError

NOW_S = 1795300100.5


@pytest.fixture
def fleet(redis_url):
    opened = Fleet(Config(redis=RedisConfig(url=redis_url)), clock=Watch(NOW_S))
    yield opened
    opened.close()


@pytest.fixture
def mail(fleet):
    return Queue("mail", fleet=fleet)


def push(raw, *payloads: bytes, queue: str = "mail") -> None:
    raw.sadd("queues", queue)
    raw.lpush(f"queue:{queue}", *payloads)


def jobs(count: int) -> list[bytes]:
    return [job(f"j{i}", "mail") for i in range(count)]


def jids(records) -> list[str]:
    return [record.jid for record in records]


def newest_first(count: int) -> list[str]:
    return [f"j{i}" for i in reversed(range(count))]


# -- all queues ------------------------------------------------------------------------------------


def test_all_queues_are_listed_by_name(fleet, raw):
    raw.sadd("queues", "low", "default", "high")
    assert [queue.name for queue in Queue.all(fleet)] == ["default", "high", "low"]
    assert [queue.name for queue in asyncio.run(_all_aio(fleet))] == ["default", "high", "low"]


async def _all_aio(fleet):
    try:
        return await Queue.all.aio(fleet)
    finally:
        await fleet.aclose()


def test_a_queue_whose_name_only_ruby_allows_is_listed_and_can_be_cleared(fleet, raw):
    push(raw, b"x", queue="büro/1 a")
    (queue,) = Queue.all(fleet)
    assert (queue.name, queue.size()) == ("büro/1 a", 1)
    assert queue.clear().count == 1
    assert Queue.all(fleet) == []


def test_a_name_that_is_not_text_does_not_hide_the_others(fleet, raw):
    raw.sadd("queues", b"\xff", b"mail")
    assert [queue.size() for queue in Queue.all(fleet)] == [0, 0]


@pytest.mark.parametrize("name", ["", "a/b", "queue mail", None, 5])
def test_a_name_that_no_queue_can_have_is_refused(name):
    with pytest.raises(ConfigError, match="queue"):
        Queue(name)


def test_queues_of_the_same_name_are_the_same(fleet):
    assert Queue("mail", fleet=fleet) == Queue("mail", fleet=fleet) != Queue("low", fleet=fleet)
    assert len({Queue("mail", fleet=fleet), Queue("mail", fleet=fleet)}) == 1


# -- size and latency ------------------------------------------------------------------------------


def test_size_counts_what_waits(mail, raw):
    assert mail.size() == 0
    push(raw, *jobs(3))
    assert mail.size() == 3


def test_latency_is_the_age_of_the_job_that_runs_next(mail, raw):
    push(raw, job("a", enqueued_at=int((NOW_S - 60) * 1000)), job("b", enqueued_at=int((NOW_S - 5) * 1000)))
    assert mail.latency() == pytest.approx(60, abs=0.01)


def test_latency_reads_seconds_of_old_sidekiq(mail, raw):
    push(raw, job("a", enqueued_at=NOW_S - 12.5))
    assert mail.latency() == 12.5


def test_latency_falls_back_to_when_it_was_pushed(mail, raw):
    push(raw, job("a", created_at=NOW_S - 3.0))
    assert mail.latency() == 3.0


@pytest.mark.parametrize("payload", [b"not json", b"{}", b'{"enqueued_at":"soon"}', b"[1]"])
def test_latency_of_a_job_that_says_nothing_is_zero(mail, raw, payload):
    push(raw, payload)
    assert mail.latency() == 0.0


def test_latency_of_an_empty_queue_is_zero(mail):
    assert mail.latency() == 0.0


def test_latency_of_a_job_from_a_clock_that_is_ahead_is_zero(mail, raw):
    push(raw, job("a", enqueued_at=int((NOW_S + 60) * 1000)))
    assert mail.latency() == 0.0


# -- iterating -------------------------------------------------------------------------------------


def test_jobs_come_newest_first_and_know_their_queue(mail, raw):
    push(raw, job("a", "elsewhere"), b"not json")
    unreadable, readable = list(mail)
    assert (unreadable.args, unreadable.jid, unreadable.queue) == (["not json"], "", "mail")
    assert (readable.jid, readable.queue, readable.job_class) == ("a", "mail", "app.Job")


def test_every_job_of_many_pages_comes_once(mail, raw):
    push(raw, *jobs(2500))
    assert jids(mail) == newest_first(2500)


def test_iterating_from_an_event_loop(mail, raw):
    push(raw, *jobs(120))

    async def visit() -> tuple[list[str], list[str], int]:
        try:
            implicit = [record.jid async for record in mail]
            explicit = [record.jid async for record in mail.each.aio()]
            return implicit, explicit, await mail.size.aio()
        finally:
            await mail.fleet.aclose()

    assert asyncio.run(visit()) == (newest_first(120), newest_first(120), 120)


def test_deleting_while_iterating_misses_none(mail, raw):
    push(raw, *jobs(1234))
    assert all(record.delete() for record in mail)
    assert mail.size() == 0


def test_jobs_pushed_and_taken_meanwhile_hide_and_double_none(mail, raw):
    push(raw, *jobs(1000))
    seen = Counter()
    for index, record in enumerate(mail):
        seen[record.jid] += 1
        if index % 10 == 0:
            push(raw, job(f"new{index}", "mail"))
            raw.rpop("queue:mail")
    there = {json.loads(payload)["jid"] for payload in raw.lrange("queue:mail", 0, -1)}
    assert {jid for jid in there if jid.startswith("j")} <= set(seen)
    assert set(seen.values()) == {1}


def test_stopping_early_asks_for_no_more(mail, raw):
    push(raw, *jobs(1000))
    with raw.monitor() as seen:
        for record in mail:
            if record.jid == "j990":
                break
        raw.echo("end")
        commands = names(seen)
    assert commands.count("LRANGE") == 1


def names(seen) -> list[str]:
    return [command.split()[0].upper() for command in lines(seen)]


def lines(seen) -> list[str]:
    found = []
    while not (command := seen.next_command()["command"]).upper().startswith("ECHO"):
        found.append(command)
    return found


def test_no_read_asks_for_more_than_a_page(mail, raw):
    push(raw, *jobs(5000))
    with raw.monitor() as seen:
        list(mail)
        mail.find_job("j0")
        mail.find("nothing like this")
        mail.page(4990, 25)
        mail.page(0, 1000, oldest_first=True)
        raw.echo("end")
        ranges = [command.split()[2:] for command in lines(seen) if command.upper().startswith("LRANGE")]
    assert len(ranges) > 15
    # A page and what it has in common with the one before.
    assert max(int(stop) - int(start) + 1 for start, stop in ranges) <= 1100


def test_pages_of_large_jobs_are_small(mail, raw):
    push(raw, *(job(f"j{i}", "mail", args=["x" * 100_000]) for i in range(60)))
    with raw.monitor() as seen:
        assert len(list(mail)) == 60
        raw.echo("end")
        ranges = [command.split()[2:] for command in lines(seen) if command.upper().startswith("LRANGE")]
    assert max(int(stop) - int(start) + 1 for start, stop in ranges[1:]) <= 20


# -- pages -----------------------------------------------------------------------------------------


def test_a_page_has_what_it_was_asked_for_and_says_how_many_there_are(mail, raw):
    push(raw, *jobs(60))
    page = mail.page(0, 25)
    assert (jids(page.entries), page.total, page.cursor) == (newest_first(60)[:25], 60, "25")
    last = mail.page(50, 25)
    assert (jids(last.entries), last.cursor) == (newest_first(60)[50:], None)


def test_a_page_can_begin_at_the_oldest(mail, raw):
    push(raw, *jobs(60))
    assert jids(mail.page(0, 3, oldest_first=True).entries) == ["j0", "j1", "j2"]
    last = mail.page(55, 25, oldest_first=True)
    assert (jids(last.entries), last.cursor) == (["j55", "j56", "j57", "j58", "j59"], None)


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize("start", [60, 61, 1000])
def test_a_page_behind_the_end_is_empty(mail, raw, start, oldest_first):
    push(raw, *jobs(60))
    page = mail.page(start, 25, oldest_first=oldest_first)
    assert (page.entries, page.cursor, page.total) == ([], None, 60)


@pytest.mark.parametrize(("start", "size"), [(-1, 25), (0, 0), (0, 1001), ("0", 25), (0, 2.5), (True, 25)])
def test_a_page_that_cannot_be_is_refused(mail, start, size):
    with pytest.raises(ConfigError, match="whole number"):
        mail.page(start, size)


# -- finding ---------------------------------------------------------------------------------------


def test_a_job_is_found_by_its_jid(mail, raw):
    push(raw, *jobs(1500))
    found = mail.find_job("j3")
    assert found is not None
    assert found.value == job("j3", "mail")
    assert mail.find_job("j") is None


@pytest.mark.parametrize("written", [rb"a\/b", rb"a\u002fb", rb"a/b"])
def test_a_jid_is_found_however_json_writes_it(mail, raw, written):
    push(raw, b'{"class":"app.Job","args":[],"jid":"' + written + b'"}')
    assert mail.find_job("a/b").jid == "a/b"


@pytest.mark.parametrize("jid", ["", None, b"j1"])
def test_a_jid_that_no_job_can_have_is_refused(mail, jid):
    with pytest.raises(ConfigError, match="jid"):
        mail.find_job(jid)


def test_a_jid_in_the_arguments_is_not_the_job(mail, raw):
    push(raw, job("a", args=["b"]), job("b"), job("c", args=["b"]))
    found = mail.find_job("b")
    assert found is not None
    assert found.value == job("b")


@pytest.mark.parametrize(
    "what", ['"j7"', lambda job: job.jid == "j7", type("Filter", (), {"matches": lambda self, job: job.jid == "j7"})()]
)
def test_jobs_are_found_by_text_by_function_and_by_filter(mail, raw, what):
    push(raw, *jobs(100))
    page = mail.find(what)
    assert (jids(page.entries), page.cursor) == (["j7"], None)


def test_a_search_stops_at_its_limit_and_goes_on_from_there(mail, raw):
    push(raw, *jobs(1000))
    found, cursor = [], None
    while True:
        page = mail.find(lambda job: int(job.jid[1:]) % 7 == 0, limit=10, cursor=cursor)
        assert len(page.entries) <= 10
        found += jids(page.entries)
        cursor = page.cursor
        if cursor is None:
            break
    assert found == [f"j{i}" for i in reversed(range(0, 1000, 7))]


def test_a_search_that_goes_on_misses_nothing_beside_jobs_that_are_in_the_queue_many_times(mail, raw):
    same = job("same", "mail")
    older, wanted, newer = jobs(200)[:100], [job(f"w{i}", "mail") for i in range(3)], jobs(200)[100:]
    push(raw, *older, *[same] * 30, *wanted, *newer, same)
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = mail.find('"jid":"w', limit=1, cursor=cursor)
        found += jids(page.entries)
        cursor = page.cursor
        if cursor is None:
            break
    assert found == ["w2", "w1", "w0"]


def test_an_async_function_is_not_taken_for_one_that_every_job_fits(mail, raw):
    async def fits(_):
        return False

    push(raw, *jobs(3))
    with pytest.raises(ConfigError, match=r"what: .* plain function"):
        mail.find(fits)


def test_a_search_that_ends_exactly_at_the_last_job_has_no_cursor(mail, raw):
    push(raw, *jobs(10))
    page = mail.find("app.Job", limit=10)
    assert (len(page.entries), page.cursor) == (10, None)


def test_a_search_stops_when_its_time_is_over_and_can_go_on(mail, raw):
    push(raw, *jobs(1000))

    def slow(record: JobRecord) -> bool:
        mail.fleet.clock.now_s += 0.1
        return record.jid == "j0"

    page, pages = mail.find(slow, budget_s=2), 1
    assert page.entries == []
    while page.cursor is not None:
        page, pages = mail.find(slow, budget_s=2, cursor=page.cursor), pages + 1
    assert (jids(page.entries), pages > 2) == (["j0"], True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"what": ""}, "what"),
        ({"what": 5}, "what"),
        ({"what": "x", "cursor": "abc"}, "cursor"),
        ({"what": "x", "cursor": "-5"}, "cursor"),
        ({"what": "x", "cursor": 5}, "cursor"),
        ({"what": "x", "cursor": "9" * 19}, "cursor"),
        ({"what": "x", "cursor": "9" * 5000}, "cursor"),
        ({"what": "x", "limit": 0}, "limit"),
        ({"what": "x", "budget_s": -1}, "budget_s"),
    ],
)
def test_a_search_that_cannot_be_is_refused(mail, options, named):
    with pytest.raises(ConfigError, match=named):
        mail.find(**options)


# -- deleting --------------------------------------------------------------------------------------


def test_deleting_removes_exactly_this_job(mail, raw):
    push(raw, *jobs(3))
    assert mail.find_job("j1").delete() is True
    assert jids(mail) == ["j2", "j0"]


def test_deleting_a_job_that_was_taken_says_so(mail, raw):
    push(raw, *jobs(2))
    oldest = mail.page(0, 1, oldest_first=True).entries[0]
    raw.rpop("queue:mail")
    assert oldest.delete() is False
    assert mail.size() == 1


def test_of_identical_entries_one_is_deleted(mail, raw):
    push(raw, job("a"), job("a"))
    first, _ = mail
    assert first.delete() is True
    assert mail.size() == 1


def test_bytes_that_are_no_job_can_be_deleted(mail, raw):
    push(raw, b'{ "jid":  "odd" ', b"\xff\xfe")
    assert [record.delete() for record in mail] == [True, True]


@pytest.mark.parametrize(
    ("position", "count"), [("newest", "1"), ("oldest", "-1"), ("oldest of a page", "-1"), ("found", "-1")]
)
def test_a_job_is_sought_from_the_nearer_end(mail, raw, position, count):
    push(raw, *jobs(200))
    record = {
        "newest": lambda: mail.page(0, 1).entries[0],
        "oldest": lambda: mail.page(0, 1, oldest_first=True).entries[0],
        "oldest of a page": lambda: mail.page(199, 1).entries[0],
        "found": lambda: mail.find_job("j1"),
    }[position]()
    with raw.monitor() as seen:
        assert record.delete()
        raw.echo("end")
        (sent,) = [command for command in lines(seen) if command.startswith("LREM")]
    assert sent.split()[2] == count


def test_a_record_tells_how_long_it_has_waited(mail, raw):
    push(raw, job("a", enqueued_at=NOW_S - 7.5))
    (record,) = mail
    assert record.latency() == 7.5
    mail.fleet.clock.now_s += 1
    assert record.latency() == 8.5


# -- clearing and pausing --------------------------------------------------------------------------


def test_a_cleared_queue_is_gone_and_can_be_put_back(mail, raw):
    push(raw, *jobs(1200))
    gone = mail.clear()
    assert (gone.count, gone.name, mail.size(), Queue.all(mail.fleet)) == (1200, "mail", 0, [])
    assert Undo(gone.undo_id, fleet=mail.fleet).restore() == 1200
    assert jids(mail) == newest_first(1200)
    assert Queue.all(mail.fleet) == [mail]


def test_clearing_for_good_keeps_nothing(mail, raw):
    push(raw, *jobs(3))
    assert mail.clear(undo_s=0).undo_id is None
    assert raw.keys("*") == []


def test_pausing_writes_the_bare_name_where_dashboards_look(mail, raw):
    assert mail.is_paused() is False
    assert mail.pause() is True
    assert (mail.pause(), mail.is_paused(), raw.smembers("paused")) == (False, True, {b"mail"})
    assert mail.unpause() is True
    assert (mail.unpause(), mail.is_paused(), raw.exists("paused")) == (False, False, 0)


def test_paused_queues_are_listed_by_name(fleet, raw):
    for name in ("low", "high"):
        Queue(name, fleet=fleet).pause()
    assert [queue.name for queue in Queue.paused(fleet)] == ["high", "low"]


def test_a_paused_name_that_is_not_text_can_be_shown_and_asked_about(fleet, raw):
    raw.sadd("paused", b"\xff", "low")
    assert [(queue.name.encode().decode(), queue.size()) for queue in Queue.paused(fleet)] == [
        ("low", 0),
        ("\ufffd", 0),
    ]
