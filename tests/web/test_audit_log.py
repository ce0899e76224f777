"""The audit log: which jobs were ticked, who tried what they may not, and words for what came of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from web_scene import QUEUE, QUEUED_JID, RETRY_JID, SCHEDULED_JID, failed

import pillion.web
from pillion.web.data.models import Outcome

LOCALES = sorted((Path(pillion.web.__file__).parent / "locales").glob("*.json"))


def audit(raw: redis.Redis) -> list[dict[str, str]]:
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in raw.xrange("pl:audit")]


def rows(client: Any, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/v1{path}").json()["rows"]
    return found


# -- ticked rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "jid", "verb"),
    [
        ("retries", RETRY_JID, "retry"),
        ("retries", RETRY_JID, "kill"),
        ("retries", RETRY_JID, "delete"),
        ("scheduled", SCHEDULED_JID, "move"),
    ],
)
def test_ticked_jobs_of_a_set_are_named(dash: Any, filled: redis.Redis, place: str, jid: str, verb: str) -> None:
    admin = dash().client()
    (row,) = rows(admin, f"/{place}")
    admin.post(f"/sets/{place}/{verb}", data={"key": row["key"], "confirmed": "1", "expected_count": "1", "by_s": "60"})
    entry = audit(filled)[-1]
    assert (entry["action"], entry["jids"], entry["count"]) == (f"set_{verb}", jid, "1")


def test_ticked_jobs_of_a_queue_are_named(dash: Any, filled: redis.Redis) -> None:
    admin = dash().client()
    (row,) = rows(admin, f"/queues/{QUEUE}/jobs")
    admin.post(f"/queues/{QUEUE}/delete", data={"key": row["key"], "confirmed": "1", "expected_count": "1"})
    assert audit(filled)[-1]["jids"] == QUEUED_JID


def test_many_ticked_jobs_are_named_as_far_as_there_is_room(dash: Any, raw: redis.Redis) -> None:
    raw.zadd("retry", {json.dumps(failed(f"{number:024d}")): 1e12 + number for number in range(30)})
    admin = dash().client()
    admin.post("/sets/retries/retry", data={"key": [row["key"] for row in rows(admin, "/retries")]})
    entry = audit(raw)[-1]
    assert entry["count"] == "30"
    assert entry["jids"].split(",") == [f"{number:024d}" for number in range(20)]


def test_the_page_links_them_and_the_page_of_the_job_tells_it(dash: Any, filled: redis.Redis) -> None:
    admin = dash().client()
    (row,) = rows(admin, "/retries")
    admin.post("/sets/retries/kill", data={"key": row["key"], "confirmed": "1", "expected_count": "1"})
    assert f'href="/jobs/{RETRY_JID}"' in admin.get("/audit").text
    assert f'href="/jobs/{RETRY_JID}"' in admin.get(f"/audit?q={RETRY_JID}").text
    assert [one["action"] for one in admin.get(f"/api/v1/jobs/{RETRY_JID}").json()["audit"]] == ["set_kill"]


def test_an_action_of_an_extension_may_know_no_jids() -> None:
    assert Outcome("done", "x").jids == ()


# -- who may not -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "action", "target"),
    [
        ("POST", "/sets/retries/delete", "set_delete", "retries"),
        ("POST", "/api/v1/queues/mail:clear", "queue_clear", "mail"),
        ("GET", "/audit", "audit", None),
    ],
)
def test_who_tries_what_is_not_for_them_is_written_down(
    dash: Any, filled: redis.Redis, method: str, path: str, action: str, target: str | None
) -> None:
    assert dash().client("viewer").request(method, path).status_code == 403
    (entry,) = audit(filled)
    assert (entry["who"], entry["role"], entry["result"]) == ("ana the viewer", "viewer", "forbidden")
    assert (entry["action"], entry.get("target")) == (action, target)


def test_who_goes_on_with_what_is_not_for_them_is_written_down(dash: Any, filled: redis.Redis) -> None:
    board = dash()
    report = board.client("admin").post("/api/v1/bulk/retries:delete", json={"confirmed": True}).json()
    board.client("operator").post(f"/bulk/{report['bulk_id']}/resume")
    assert [one["result"] for one in audit(filled) if one["action"] == "bulk_resume"] == ["forbidden"]


def test_tries_cannot_wash_the_log_away(dash: Any, filled: redis.Redis) -> None:
    viewer = dash().client("viewer")
    for _ in range(30):
        assert viewer.post("/sets/retries/delete").status_code == 403
    assert len(audit(filled)) == 10


def test_the_page_of_another_site_is_in_the_log(
    dash: Any, filled: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    assert dash().client("admin", **headers).post("/sets/retries/delete").status_code == 403
    assert "Refused POST /sets/retries/delete from 192.0.2.7" in caplog.text
    assert audit(filled) == []


# -- words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", LOCALES, ids=lambda path: path.stem)
def test_each_result_has_a_word_in_each_language(locale: Path) -> None:
    texts = json.loads(locale.read_text())["texts"]
    results = ("done", "nothing", "partly", "refused", "started", "stopped", "failed", "forbidden")
    assert {f"result.{name}" for name in results} <= set(texts)


def test_what_failed_is_told_in_the_language_of_the_reader(dash: Any, raw: redis.Redis) -> None:
    for result in ("failed: CountChanged", "started", "stopped", "something new"):
        raw.xadd("pl:audit", {"who": "ana", "action": "bulk_delete", "result": result})
    page = dash().client("admin", **{"accept-language": "de"}).get("/audit").text
    told = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r'data-label="Ergebnis">(.*?)</td>', page)]
    assert told == ["something new", "angehalten", "begonnen", "misslungen: CountChanged"]


def test_clearing_several_queues_shows_some_of_their_jobs_first(dash: Any, filled: redis.Redis) -> None:
    filled.lpush("queue:low", json.dumps(failed("f" * 24, queue="low", **{"class": "shop.jobs.Sweep"})))
    asked = dash().client().post("/queues/-/clear-all", data={"queue": [QUEUE, "low"]})
    samples = asked.text.partition('<ul class="samples">')[2].partition("</ul>")[0]
    assert "shop.jobs.SendMail" in samples
    assert "shop.jobs.Sweep" in samples
    assert filled.llen("queue:low") == 1
