"""Actions: what buttons do, what is asked before, what is written down, how it is undone."""

import html
import json
import re

import pytest
from web_client import ADDRESS
from web_scene import DEAD_JID, HOST, IDENTITY, QUEUE, QUEUED_JID, RETRY_JID, SCHEDULED_JID, digest, failed, job

from pillion.web.confirm import is_far
from pillion.web.cookies import Note
from pillion.web.data.data import Data
from pillion.web.routes import ROUTES

HIDDEN_FIELD = re.compile(r'<input[^>]*type="hidden"[^>]*>')
ACTIONS = {route.name: route for route in ROUTES}


def audit(raw):
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in raw.xrange("pl:audit")]


def keys(client, path):
    """The keys of the rows of a page."""
    boxes = re.findall(r'<input[^>]*name="key"[^>]*>', client.get(path).text)
    return [html.unescape(re.search(r'value="([^"]*)"', box)[1]) for box in boxes]


def confirmed(answer):
    """The fields of a confirm page, to be sent again."""
    assert answer.status_code == 200, answer.text
    fields = [
        (html.unescape(re.search(r'name="([^"]*)"', field)[1]), html.unescape(re.search(r'value="([^"]*)"', field)[1]))
        for field in HIDDEN_FIELD.findall(answer.text.partition('<form class="confirm"')[2].partition("</form>")[0])
    ]
    found = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    assert found["confirmed"] == ["1"]
    return found


def note(answer):
    """What the flash of an answer says."""
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("pillion_flash="))
    return Note.parse(cookie.partition("=")[2].partition(";")[0], ACTIONS)


@pytest.fixture
def admin(dash, filled):
    return dash().client("admin")


class TestQueues:
    def test_pause_and_resume(self, admin, filled):
        answer = admin.post(f"/queues/{QUEUE}/pause", data={"back": "/queues?q=ma"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/queues?q=ma")
        assert filled.smembers("paused") == {QUEUE.encode()}
        admin.post(f"/queues/{QUEUE}/resume")
        assert filled.smembers("paused") == set()

    def test_ticked_queues_are_paused_together(self, admin, filled):
        admin.post("/queues/-/pause-all", data={"queue": [QUEUE, "low"]})
        assert filled.smembers("paused") == {QUEUE.encode(), b"low"}

    def test_clear_does_not_promise_to_spare_what_comes_later(self, admin, filled):
        assert "cutoff" not in confirmed(admin.post(f"/queues/{QUEUE}/clear"))
        assert "cutoff" in confirmed(admin.post("/bulk/retries/delete"))

    def test_clear_asks_clears_and_can_be_undone(self, admin, filled):
        asked = admin.post(f"/queues/{QUEUE}/clear", data={"back": "/queues"})
        assert filled.llen(f"queue:{QUEUE}") == 1
        answer = admin.post(f"/queues/{QUEUE}/clear", data=confirmed(asked))
        assert (answer.status_code, answer.headers["location"]) == (303, "/queues")
        assert filled.llen(f"queue:{QUEUE}") == 0
        assert (note(answer).code, note(answer).count) == ("done", 1)
        admin.post(f"/undo/{note(answer).undo_id}/restore")
        assert filled.llen(f"queue:{QUEUE}") == 1

    def test_a_queue_that_grew_meanwhile_is_not_cleared(self, admin, filled):
        fields = confirmed(admin.post(f"/queues/{QUEUE}/clear"))
        filled.lpush(f"queue:{QUEUE}", *(json.dumps(job(f"{number:024}")) for number in range(50)))
        answer = admin.post(f"/queues/{QUEUE}/clear", data=fields)
        assert answer.status_code == 409
        assert filled.llen(f"queue:{QUEUE}") == 51
        assert 'value="51"' in answer.text  # the same question with the count of now
        assert audit(filled)[-1]["result"] == "failed: CountChanged"

    @pytest.mark.parametrize(
        ("shown", "count", "far"), [(1, 11, False), (1, 12, True), (1000, 1100, False), (1000, 899, True)]
    )
    def test_what_is_far_from_what_was_shown(self, shown, count, far):
        assert is_far(shown, count) == far

    def test_a_ticked_row_is_deleted_and_no_other(self, admin, filled):
        filled.lpush(f"queue:{QUEUE}", json.dumps(job("f" * 24)))
        rows = keys(admin, f"/queues/{QUEUE}?order=next")
        asked = admin.post(f"/queues/{QUEUE}/delete", data={"key": rows[:1]})
        admin.post(f"/queues/{QUEUE}/delete", data=confirmed(asked))
        left = filled.lrange(f"queue:{QUEUE}", 0, -1)
        assert [json.loads(each)["jid"] for each in left] == ["f" * 24]


class TestSets:
    def test_retry_pushes_now(self, admin, filled):
        admin.post("/sets/retries/retry", data={"key": keys(admin, "/retries?view=list")})
        assert filled.zcard("retry") == 0
        assert RETRY_JID in filled.lindex(f"queue:{QUEUE}", 0).decode()

    def test_scheduled_is_pushed_now(self, admin, filled):
        admin.post("/sets/scheduled/retry", data={"key": keys(admin, "/scheduled")})
        assert SCHEDULED_JID in filled.lindex(f"queue:{QUEUE}", 0).decode()

    def test_a_dead_job_is_retried(self, admin, filled):
        admin.post("/sets/dead/retry", data={"key": keys(admin, "/dead?view=list")})
        assert DEAD_JID in filled.lindex(f"queue:{QUEUE}", 0).decode()

    def test_kill_asks_and_moves_to_the_dead(self, admin, filled):
        asked = admin.post("/sets/retries/kill", data={"key": keys(admin, "/retries?view=list")})
        assert filled.zcard("dead") == 1
        admin.post("/sets/retries/kill", data=confirmed(asked))
        assert (filled.zcard("retry"), filled.zcard("dead")) == (0, 2)

    def test_delete_asks_and_can_be_undone(self, admin, filled):
        asked = admin.post("/sets/dead/delete", data={"key": keys(admin, "/dead?view=list")})
        answer = admin.post("/sets/dead/delete", data=confirmed(asked))
        assert filled.zcard("dead") == 0
        admin.post(f"/undo/{note(answer).undo_id}/restore")
        assert filled.zcard("dead") == 1

    def test_another_time(self, admin, filled):
        before = filled.zrange("schedule", 0, -1, withscores=True)[0]
        admin.post("/sets/scheduled/move", data={"key": keys(admin, "/scheduled"), "by_s": "600"})
        after = filled.zrange("schedule", 0, -1, withscores=True)[0]
        assert after[0] == before[0]
        assert after[1] - before[1] == pytest.approx(600)

    def test_a_set_that_is_none_is_not_found(self, admin, filled):
        before = digest(filled)
        answer = admin.post("/sets/processes/retry", data={"key": ["x"]})
        assert answer.status_code == 404
        filled.delete("pl:audit")
        assert digest(filled) == before

    @pytest.mark.parametrize("key", ["", "x", "1|2|3", "\x00", "9" * 500, "nan|a", "<script>"])
    def test_a_key_that_is_none_changes_nothing(self, key, admin, filled):
        before = digest(filled)
        answer = admin.post("/sets/retries/retry", data={"key": [key]})
        assert answer.status_code in (303, 400)
        filled.delete("pl:audit")
        assert digest(filled) == before

    def test_a_job_that_has_gone_meanwhile_is_told(self, admin, filled):
        rows = keys(admin, "/retries?view=list")
        filled.delete("retry")
        answer = admin.post("/sets/retries/retry", data={"key": rows})
        assert answer.status_code == 303
        assert note(answer).code != "done"


class TestProcesses:
    def test_quiet(self, admin, filled):
        admin.post(f"/processes/{IDENTITY}/quiet")
        assert filled.lrange(f"{IDENTITY}-signals", 0, -1) == [b"TSTP"]

    def test_stop_asks(self, admin, filled):
        asked = admin.post(f"/processes/{IDENTITY}/stop")
        assert not filled.exists(f"{IDENTITY}-signals")
        admin.post(f"/processes/{IDENTITY}/stop", data=confirmed(asked))
        assert filled.lrange(f"{IDENTITY}-signals", 0, -1) == [b"TERM"]

    def test_dump(self, admin, filled):
        admin.post(f"/processes/{IDENTITY}/dump")
        assert filled.lrange(f"{IDENTITY}-signals", 0, -1) == [b"TTIN"]

    def test_all_of_them(self, admin, filled):
        admin.post("/processes/-/quiet-all", data=confirmed(admin.post("/processes/-/quiet-all")))
        assert filled.lrange(f"{IDENTITY}-signals", 0, -1) == [b"TSTP"]


class TestMany:
    """Actions on all that match."""

    @pytest.fixture
    def many(self, filled):
        members = {json.dumps(failed(f"{number:024}")): 1_900_000_000 + number for number in range(150)}
        filled.zadd("retry", members)
        return filled

    def test_more_than_a_hundred_want_the_word(self, admin, many):
        asked = admin.post("/bulk/retries/delete", data={"q": "class:shop.jobs.SendMail"})
        fields = confirmed(asked)
        assert fields["expected_count"] == ["151"]
        again = admin.post("/bulk/retries/delete", data=fields | {"word": "yes"})
        assert again.status_code == 200
        assert many.zcard("retry") == 151
        answer = admin.post("/bulk/retries/delete", data=fields | {"word": " Delete "})
        assert answer.status_code == 303
        self.wait(admin, answer)
        assert many.zcard("retry") == 0

    def test_an_honest_count_cannot_be_played_down(self, admin, many):
        fields = confirmed(admin.post("/bulk/retries/delete", data={"q": "class:shop.jobs.SendMail"}))
        answer = admin.post("/bulk/retries/delete", data=fields | {"expected_count": "3"})
        assert answer.status_code == 409
        assert many.zcard("retry") == 151

    def test_retry_of_many_wants_no_word(self, admin, many):
        fields = confirmed(admin.post("/bulk/retries/retry", data={"q": "class:shop.jobs.SendMail"}))
        answer = admin.post("/bulk/retries/retry", data=fields)
        assert answer.headers["location"].startswith("/bulk/")
        self.wait(admin, answer)
        assert (many.zcard("retry"), many.llen(f"queue:{QUEUE}")) == (0, 152)

    def test_who_started_it_is_written_down(self, admin, many):
        fields = confirmed(admin.post("/bulk/retries/retry", data={"q": "class:shop.jobs.SendMail"}))
        self.wait(admin, admin.post("/bulk/retries/retry", data=fields))
        entry = audit(many)[0]
        assert (entry["action"], entry["target"], entry["result"]) == ("bulk_retry", "retries", "started")
        assert (entry["filter"], entry["count"]) == ("class:shop.jobs.SendMail", "151")

    def test_what_came_of_it_is_written_down(self, admin, many):
        many.zadd("retry", {json.dumps(failed("f" * 24, **{"class": "Other"})): 1.0})
        fields = confirmed(admin.post("/bulk/retries/delete", data={"q": "class:Other"}))
        admin.post("/bulk/retries/delete", data=fields)
        while (entry := audit(many)[-1])["result"] == "started":
            admin.get("/api/v1/stats")
        assert (entry["result"], entry["count"], entry["target"]) == ("done", "1", "retries")
        assert admin.post(f"/undo/{entry['undo_id']}/restore").status_code == 303
        assert many.zcard("retry") == 152

    @pytest.mark.parametrize(("action", "status"), [("delete", 403), ("retry", 303)])
    def test_to_go_on_with_a_removal_is_for_those_who_may_remove(self, action, status, dash, fleet, many):
        left = Data(fleet).bulk_start("retries", action, actor="ana the admin").bulk_id  # and nobody carries it out
        record = json.loads(many.hget("pl:bulks", left)) | {"updated_at": 1.0}
        many.hset("pl:bulks", left, json.dumps(record))
        operator = dash().client("operator")
        assert ("/resume" in operator.get(f"/bulk/{left}").text) is (status == 303)
        assert operator.post(f"/bulk/{left}/resume").status_code == status
        assert operator.post(f"/api/v1/bulk/{left}:resume").status_code in (status, 202)
        assert (many.zcard("retry") == 151) or action == "retry"

    def wait(self, client, answer):
        place = answer.headers["location"]
        while True:
            report = client.get(f"/api/v1{place}").json()["report"]
            if report["state"] not in ("running", "stalled"):
                assert report["state"] == "done"
                return


class TestAudit:
    def test_what_was_done_to_a_job_is_for_those_who_may_read_it(self, dash, filled):
        board = dash()
        board.client("admin").post("/api/v1/bulk/dead:retry", json={"q": f"jid:{RETRY_JID}", "confirmed": True})
        place = f"/api/v1/jobs/{RETRY_JID}?in=retries"
        assert ADDRESS in board.client("admin").get(place).text
        for role in ("viewer", "operator"):
            assert board.client(role).get(place).json()["audit"] == []

    def test_every_action_leaves_a_line(self, admin, filled):
        admin.post(f"/queues/{QUEUE}/pause")
        (entry,) = audit(filled)
        assert entry == {
            "who": "ana the admin",
            "role": "admin",
            "action": "queue_pause",
            "target": QUEUE,
            "count": "1",
            "result": "done",
            "address": ADDRESS,
        }

    def test_a_removal_has_its_undo_id(self, admin, filled):
        answer = admin.post(f"/queues/{QUEUE}/clear", data=confirmed(admin.post(f"/queues/{QUEUE}/clear")))
        assert audit(filled)[-1]["undo_id"] == note(answer).undo_id

    def test_what_failed_is_written_down_too(self, admin, filled):
        filled.delete(f"queue:{QUEUE}")
        filled.set(f"queue:{QUEUE}", "no list")
        fields = {"confirmed": "1", "expected_count": "1"}
        answer = admin.post(f"/queues/{QUEUE}/clear", data=fields)
        assert answer.status_code >= 400
        assert audit(filled)[-1]["result"].startswith("failed: ")

    def test_looking_and_preferring_leave_none(self, admin, filled):
        admin.get("/queues")
        admin.post("/preferences", data={"theme": "dark"})
        assert audit(filled) == []

    def test_it_is_in_the_log_as_well(self, admin, filled, caplog):
        caplog.set_level("INFO", "pillion.audit")
        admin.post(f"/queues/{QUEUE}/pause")
        (line,) = [record.getMessage() for record in caplog.records if record.name == "pillion.audit"]
        assert "who='ana the admin'" in line
        assert "action='queue_pause'" in line

    def test_hostile_names_are_one_line(self, admin, filled, caplog):
        caplog.set_level("INFO", "pillion.audit")
        admin.post("/queues/a~0Ab/pause")
        (line,) = [record.getMessage() for record in caplog.records if record.name == "pillion.audit"]
        assert "\n" not in line

    def test_the_page_shows_it_to_admins(self, dash, admin, filled):
        admin.post(f"/queues/{QUEUE}/pause")
        assert "ana the admin" in admin.get("/audit").text
        assert dash().client("operator").get("/audit").status_code == 403

    def test_it_is_bounded(self, admin, filled):
        with filled.pipeline() as pipe:
            for number in range(11_000):
                pipe.xadd("pl:audit", {"who": str(number)})
            pipe.execute()
        admin.post(f"/queues/{QUEUE}/pause")
        assert filled.xlen("pl:audit") <= 10_200


class TestForms:
    def test_a_flash_is_said_once(self, admin, filled):
        admin.post(f"/queues/{QUEUE}/pause")
        first, second = admin.get("/queues").text, admin.get("/queues").text
        assert first.count('role="status"') >= second.count('role="status"')
        assert "pillion_flash" not in admin.cookies

    @pytest.mark.parametrize(
        "text", ["<script>", "code=done&action=<b>", "code=done&action=undo&count=-1", "%", "=" * 500]
    )
    def test_a_flash_that_somebody_made_up_is_not_believed(self, text, dash, filled):
        page = dash().client("viewer", cookie=f"pillion_flash={text}").get("/queues")
        assert page.status_code == 200
        assert "<script>" not in page.text

    def test_a_flash_survives_its_cookie(self):
        told = Note("partly", "queue_clear", 12, "é;, <x>", "abc123")
        assert ";" not in told.text()
        assert told.text().isascii()
        assert Note.parse(told.text(), ACTIONS) == told

    def test_a_way_back_to_another_site_is_not_taken(self, admin, filled):
        answer = admin.post(f"/queues/{QUEUE}/pause", data={"back": "https://evil.test/"})
        assert answer.headers["location"] == "/"

    def test_a_body_has_a_bound(self, admin, filled):
        before = digest(filled)
        answer = admin.post("/sets/retries/retry", content=b"key=" + b"x" * 1_000_001)
        assert answer.status_code == 413
        assert digest(filled) == before

    def test_another_kind_of_body_is_told(self, admin, filled):
        answer = admin.post(f"/queues/{QUEUE}/pause", files={"key": b"x"})
        assert answer.status_code == 415
        assert not filled.exists("paused")

    def test_ten_removals_a_minute_are_the_most(self, admin, filled):
        data = {"confirmed": "1", "expected_count": "0"}
        codes = [admin.post("/queues/nothing/clear", data=data).status_code for _ in range(11)]
        assert codes[-1] == 429
        assert 429 not in codes[:10]

    def test_preferences_are_kept_in_cookies(self, admin, filled):
        answer = admin.post("/preferences", data={"theme": "dark", "locale": "de", "compact": "1", "back": "/queues"})
        assert answer.headers["location"] == "/queues"
        page = admin.get("/queues").text
        assert 'lang="de"' in page
        assert "dark" in page

    @pytest.mark.parametrize("locale", ["xx", "<script>", "../../etc/passwd", "e" * 100])
    def test_a_language_that_there_is_not_is_english(self, locale, admin, filled):
        admin.post("/preferences", data={"locale": locale})
        assert 'lang="en"' in admin.get("/queues").text

    def test_a_read_only_dashboard_still_has_preferences(self, dash, filled):
        assert dash(read_only=True).client("viewer").post("/preferences", data={"theme": "dark"}).status_code == 303

    def test_the_host_is_not_used_for_redirects(self, dash, filled):
        client = dash().client("admin", host="evil.test")
        assert HOST not in client.post(f"/queues/{QUEUE}/pause").headers["location"]
        assert "evil" not in client.post(f"/queues/{QUEUE}/pause").headers["location"]


def test_a_job_can_be_deleted_from_where_it_waits(admin, filled):
    page = admin.get(f"/jobs/{QUEUED_JID}")
    assert page.status_code == 200
    assert QUEUED_JID in page.text
