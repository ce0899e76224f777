"""`pillion jobs`, `queues`, `failures` and `undo`: what they find, and what they do to whom."""

from __future__ import annotations

import json
import time

import pytest
from cli_runner import Pillion


@pytest.fixture
def pillion(redis_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Pillion(redis_url)


@pytest.fixture
def put(raw):
    """Put a job somewhere: put("retry", "Mail", 1, error_class="Timeout")."""

    def put(place, job_class, *args, **more):
        jid = more.pop("jid", f"{job_class.lower()}{len(put.jids)}")
        put.jids.append(jid)
        now_ms = int(time.time() * 1000)
        job = {"class": job_class, "args": list(args), "jid": jid, "queue": "default", "created_at": now_ms, **more}
        body = json.dumps(job, separators=(",", ":"), ensure_ascii=False)
        if place.startswith("queue:"):
            raw.sadd("queues", place.removeprefix("queue:"))
            raw.lpush(place, body)
        else:
            raw.zadd(place, {body: time.time() + (3600 if place != "dead" else -60) + len(put.jids)})
        return jid

    put.jids = []
    return put


def classes(raw, key):
    values = raw.lrange(key, 0, -1) if key.startswith("queue:") else raw.zrange(key, 0, -1)
    return sorted(json.loads(value)["class"] for value in values)


# -- find ----------------------------------------------------------------------------------------------


def test_find_looks_everywhere(pillion, put):
    places = {put(place, "Mail"): place for place in ("retry", "dead", "schedule", "queue:low")}
    lines = pillion.ok("jobs", "find").splitlines()[1:]
    assert {line.split()[-1] for line in lines} == places.keys()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--class", "Mail"], {"a", "b"}),
        (["--class", "Mail", "--class", "Pay"], {"a", "b", "c"}),
        (["--class", "Mail", "--error-class", "Timeout"], {"a"}),
        (["--error", "slow"], {"a"}),
        (["--queue", "high"], {"b"}),
        (["--tag", "vip"], {"c"}),
        (["--text", "ann@example.org"], {"b"}),
        (["--older-than", "2h"], {"c"}),
        (["--newer-than", "2h"], {"a", "b", "d"}),
        (["b", "d"], {"b", "d"}),
        (["--in", "dead"], {"d"}),
    ],
)
def test_find_shows_only_what_fits_all_options(pillion, put, options, found):
    hours_ago_ms = int((time.time() - 3 * 3600) * 1000)
    put("retry", "Mail", 1, jid="a", error_class="Timeout", error_message="too slow")
    put("retry", "Mail", "ann@example.org", jid="b", queue="high", error_class="Refused")
    put("retry", "Pay", jid="c", tags=["vip"], failed_at=hours_ago_ms)
    put("dead", "Ship", jid="d")
    lines = pillion.ok("jobs", "find", "--json", *options).splitlines()
    assert {json.loads(line)["job"]["jid"] for line in lines} == found


def test_find_shows_what_cannot_be_read(pillion, raw):
    raw.zadd("dead", {"{broken": 1.0})
    assert json.loads(pillion.ok("jobs", "find", "--json"))["unreadable"] == "{broken"
    assert "(unreadable)" in pillion.ok("jobs", "find")


def test_find_stops_at_the_limit_and_says_so(pillion, put):
    for _ in range(3):
        put("dead", "Mail")
    result = pillion("jobs", "find", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "--limit" in result.stderr


def test_find_looks_into_queues_whose_names_only_ruby_allows(pillion, put):
    jid = put("queue:my mails!", "Mail")
    assert jid in pillion.ok("jobs", "find")


def test_find_shows_times_that_are_none(pillion, raw):
    raw.zadd("retry", {'{"class":"Mail","jid":"never"}': float("inf"), '{"class":"Mail","jid":"ever"}': float("-inf")})
    assert [line.split()[:2] for line in pillion.ok("jobs", "find").splitlines()[1:]] == [["retry", "-"]] * 2


def test_find_prints_json_whatever_is_in_redis(pillion, raw):
    raw.zadd("retry", {b'{"class":"A","jid":"a","args":["\xe2\x98\x83"]}': float("inf"), b"\xff\x1b": float("-inf")})
    lines = pillion.ok("jobs", "find", "--json").splitlines()
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [(each["at"], each["job"] and each["job"]["args"]) for each in found] == [(None, ["☃"]), (None, None)]


def test_find_that_finds_nothing_says_so(pillion):
    assert pillion.ok("jobs", "find", "--class", "Nobody") == "No job fits.\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [(["Charge"], "--text Charge"), (["--class", "Charge"], "such as shop.jobs.Charge")],
)
def test_find_that_finds_nothing_by_half_a_name_says_how_to_ask(pillion, words, hint):
    result = pillion("jobs", "find", *words)
    assert result.stdout == "No job fits.\n"
    assert hint in result.stderr


def test_find_that_finds_nothing_by_a_whole_name_has_nothing_to_add(pillion):
    for words in (["0" * 24], ["--class", "shop.jobs.Charge"]):
        assert pillion("jobs", "find", *words).stderr == ""


# -- retry, kill, delete ---------------------------------------------------------------------------------


def test_retry_pushes_what_fits_and_leaves_the_rest(pillion, put, raw):
    put("retry", "Mail")
    put("dead", "Mail")
    put("dead", "Pay")
    out = pillion.ok("jobs", "retry", "--class", "Mail", "--yes")
    assert classes(raw, "queue:default") == ["Mail", "Mail"]
    assert classes(raw, "dead") == ["Pay"]
    assert raw.zcard("retry") == 0
    assert out == "retry: 1 job pushed to their queues.\ndead: 1 job pushed to their queues.\n"


def test_retry_in_scheduled_pushes_them_now(pillion, put, raw):
    put("schedule", "Mail")
    pillion.ok("jobs", "retry", "--in", "scheduled", "--all", "--yes")
    assert classes(raw, "queue:default") == ["Mail"]


def test_what_cannot_be_retried_stays_and_the_exit_code_tells(pillion, raw):
    raw.zadd("dead", {"{broken": 1.0})
    result = pillion("jobs", "retry", "--in", "dead", "--all", "--yes")
    assert result.exit_code == 1
    assert "1 left as they are" in result.stderr
    assert raw.zcard("dead") == 1


def test_kill_moves_to_the_dead_set(pillion, put, raw):
    put("retry", "Mail")
    put("retry", "Pay")
    pillion.ok("jobs", "kill", "--class", "Mail", "--yes")
    assert (classes(raw, "dead"), classes(raw, "retry")) == (["Mail"], ["Pay"])


def test_kill_says_how_many_are_too_many_for_the_dead_set(pillion, put, raw, tmp_path):
    (tmp_path / "pillion.toml").write_text("dead_max_jobs = 4")
    for _ in range(3):
        put("retry", "Mail")
    put("dead", "Old")
    result = pillion("jobs", "kill", "--all")  # nobody is there to say yes
    assert "The dead set keeps the newest 3 (dead_max_jobs): 1 job will be deleted for good." in result.stderr
    assert (raw.zcard("retry"), raw.zcard("dead")) == (3, 1)
    pillion.ok("jobs", "kill", "--all", "--yes")
    assert (raw.zcard("retry"), raw.zcard("dead")) == (0, 3)


def test_delete_from_a_set_can_be_undone(pillion, put, raw):
    put("retry", "Mail")
    before = raw.zrange("retry", 0, -1, withscores=True)
    told = pillion.ok("jobs", "delete", "--in", "retry", "--all", "--yes")
    assert raw.zcard("retry") == 0
    undo_id = told.split("`pillion undo ")[1].split("`")[0]
    assert undo_id in pillion.ok("undo")
    assert pillion.ok("undo", undo_id) == "1 job is back.\n"
    assert raw.zrange("retry", 0, -1, withscores=True) == before


def test_delete_from_a_queue_takes_only_what_fits(pillion, put, raw):
    put("queue:low", "Mail")
    put("queue:low", "Pay")
    pillion.ok("jobs", "delete", "--in", "queue:low", "--class", "Mail", "--yes")
    assert classes(raw, "queue:low") == ["Pay"]


@pytest.mark.parametrize("verb", ["retry", "kill", "delete"])
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--in", "retry"], "Say which jobs"),
        (["--in", "retry", "--all", "--class", "Mail"], "--all is every job"),
        (["--in", "retry", "--all"], "say --yes"),
        (["--in", "nowhere", "--all", "--yes"], "got 'nowhere'"),
        (["--in", "retry", "--older-than", "soon", "--yes"], "--older-than: expected a length of time"),
    ],
)
def test_what_is_not_clear_is_refused_and_changes_nothing(pillion, put, raw, verb, words, expected):
    put("retry", "Mail")
    assert expected in pillion.refusal("jobs", verb, *words)
    assert classes(raw, "retry") == ["Mail"]


def test_delete_does_not_guess_where(pillion):
    assert "Say where" in pillion.refusal("jobs", "delete", "--all", "--yes")


def test_kill_is_not_for_the_dead(pillion):
    assert "expected one of retry, scheduled, got 'dead'" in pillion.refusal("jobs", "kill", "--in", "dead", "--all")


# -- queues ----------------------------------------------------------------------------------------------


def test_queues_are_listed_with_what_serves_them(pillion, put, raw):
    put("queue:low", "Mail")
    put("queue:high", "Pay")
    raw.sadd("paused", "high")
    listed = {queue["name"]: queue for queue in json.loads(pillion.ok("queues", "list", "--json"))}
    assert (listed["low"]["size"], listed["low"]["processes"], listed["low"]["paused"]) == (1, 0, False)
    assert listed["high"]["paused"] is True
    assert "nobody serves it" in pillion.ok("queues")


def test_queues_are_paused_and_go_on(pillion, put, raw):
    put("queue:low", "Mail")
    assert pillion.ok("queues", "pause", "low", "high") == "low is paused\nhigh is paused\n"
    assert pillion.ok("queues", "pause", "low") == "low was paused already\n"
    assert pillion.ok("queues", "resume", "--all") == "high goes on\nlow goes on\n"
    assert raw.smembers("paused") == set()


def test_a_pause_of_an_unknown_queue_asks_whether_another_was_meant(pillion, put):
    put("queue:mailers", "Mail")
    warned = pillion("queues", "pause", "mialers", "mailers").stderr
    assert warned.startswith("Nothing was pushed to mialers yet; it will be paused then. Did you mean mailers?")
    assert warned.count("Nothing was pushed") == 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("mailers", "queue:mailers"), ("qeue:mailers", "queue:mailers"), ("mail:eu", "queue:mail:eu"), ("daed", "dead")],
)
def test_a_place_that_is_none_is_told_the_nearest(pillion, typed, meant):
    assert f"Did you mean {meant}?" in pillion.refusal("jobs", "find", "--in", typed)


def test_queues_without_a_command_take_the_options_of_list(pillion, put):
    put("queue:low", "Mail")
    assert [queue["name"] for queue in json.loads(pillion.ok("queues", "--json"))] == ["low"]
    assert "clear    Delete all jobs" in pillion.ok("queues", "-h")
    assert "No such option" in pillion.refusal("queues", "--nothing")


def test_names_of_queues_command_no_terminal(pillion, raw):
    raw.sadd("queues", "a\x1b]0;b\x07")
    assert pillion.ok("queues", "pause", "--all") == "a�]0;b� is paused\n"
    assert pillion.ok("queues", "resume", "--all") == "a�]0;b� goes on\n"


def test_one_job_is_no_jobs(pillion, put):
    put("queue:low", "Mail")
    assert pillion.ok("queues", "migrate", "low", "high").startswith("Moved 1 job from")
    assert pillion.ok("queues", "clear", "high", "--yes").startswith("1 job deleted")


def test_a_queue_is_cleared_and_brought_back(pillion, put, raw):
    put("queue:low", "Mail")
    told = pillion.ok("queues", "clear", "low", "--yes")
    assert raw.llen("queue:low") == 0
    pillion.ok("undo", told.split("`pillion undo ")[1].split("`")[0])
    assert classes(raw, "queue:low") == ["Mail"]


def test_clearing_asks_first_and_nobody_is_no_answer(pillion, put, raw):
    put("queue:low", "Mail")
    assert "say --yes" in pillion.refusal("queues", "clear", "low")
    assert raw.llen("queue:low") == 1


def test_migrate_moves_a_queue_there_and_back(pillion, put, raw):
    put("queue:old", "Mail", queue="old")
    put("schedule", "Later", queue="old")
    put("retry", "Again", queue="old")
    put("dead", "Dead", queue="old")
    assert "Moved 3 jobs from old to new: 1 queued, 1 scheduled, 1 to be retried." in pillion.ok(
        "queues", "migrate", "old", "new"
    )
    assert json.loads(raw.lindex("queue:new", 0))["queue"] == "new"
    assert "4 jobs" not in pillion.ok("queues", "migrate", "new", "old", "--dead")
    assert json.loads(raw.zrange("retry", 0, 0)[0])["queue"] == "old"


def test_which_queues_must_be_said(pillion):
    assert "Name the queues, or say --all" in pillion.refusal("queues", "pause")


# -- failures ----------------------------------------------------------------------------------------------


def test_failures_are_grouped_and_counted(pillion, put):
    for _ in range(3):
        put("retry", "Mail", error_class="Timeout", error_message="slow")
    put("dead", "Mail", error_class="Timeout", error_message="slow")
    put("dead", "Pay", error_class="Refused")
    groups = json.loads(pillion.ok("failures", "--json"))
    assert [(group["class"], group["error"], group["retry"], group["dead"]) for group in groups] == [
        ("Mail", "Timeout", 3, 1),
        ("Pay", "Refused", 0, 1),
    ]
    assert "slow" in pillion.ok("failures")


def test_failures_tell_since_when_and_the_latest_message(pillion, put):
    put("retry", "Mail", error_class="E", error_message="first", failed_at=1_700_000_000_000, jid="one")
    put("retry", "Mail", error_class="E", error_message="last", failed_at=1_700_000_100_000, jid="two")
    (group,) = json.loads(pillion.ok("failures", "--json"))
    assert (group["first_at"], group["last_at"]) == (1_700_000_000.0, 1_700_000_100.0)
    assert (group["message"], group["jid"]) == ("last", "two")


def test_failures_may_be_grouped_otherwise(pillion, put):
    put("retry", "Mail", error_class="Timeout")
    put("dead", "Pay", error_class="Timeout")
    (group,) = json.loads(pillion.ok("failures", "--by", "error", "--json"))
    assert (group["error"], group["count"]) == ("Timeout", 2)
    assert "--by: expected one or more of class, error, queue" in pillion.refusal("failures", "--by", "colour")


def test_no_failures_are_good_news(pillion):
    assert pillion.ok("failures").startswith("Nothing has failed")
