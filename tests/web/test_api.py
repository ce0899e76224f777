"""The JSON API: values, errors, numbers, and the document that describes it."""

import json
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from web_scene import BIG, IDENTITY, JOB_CLASS, PLACES, QUEUE, RETRY_JID, digest, failed

from pillion.web import paths
from pillion.web.data.redaction import HIDDEN
from pillion.web.routes import ROUTES

READS = [route for route in ROUTES if route.kind == "api" and route.method == "GET" and "export" not in route.name]


@pytest.fixture
def admin(dash, filled):
    return dash().client("admin")


@pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
def test_every_read_is_json(route, admin):
    answer = admin.get(paths.fill(route.path, PLACES))
    assert answer.headers["content-type"] in ("application/json", "application/problem+json")
    assert isinstance(answer.json(), dict)


class TestSidekiqsShape:
    def test_stats(self, admin):
        told = admin.get("/stats").json()
        assert list(told) == ["sidekiq", "redis", "server_utc_time"]
        assert told["sidekiq"] | {"default_latency": 0} == {
            "processed": 1204331,
            "failed": 912,
            "busy": 1,
            "processes": 1,
            "enqueued": 1,
            "scheduled": 1,
            "retries": 1,
            "dead": 1,
            "default_latency": 0,
        }
        assert set(told["redis"]) == {
            "redis_version",
            "uptime_in_days",
            "connected_clients",
            "used_memory_human",
            "used_memory_peak_human",
            "store_name",
            "store_version",
        }
        assert told["redis"]["redis_version"]
        assert re.fullmatch(r"\d\d:\d\d:\d\d UTC", told["server_utc_time"])

    def test_queues(self, admin, filled):
        filled.lpush("queue:low", "{}", "{}")
        assert list(admin.get("/stats/queues").json().items()) == [("low", 2), (QUEUE, 1)]

    def test_the_api_has_the_same(self, admin):
        assert admin.get("/api/v1/stats").json()["sidekiq"] == admin.get("/stats").json()["sidekiq"]
        assert admin.get("/api/v1/stats/queues").json() == admin.get("/stats/queues").json()

    def test_programs_may_ask_with_a_token(self, dash, filled):
        assert dash().client("viewer").get("/stats").status_code == 200
        assert dash().client("").get("/stats").status_code == 401


class TestValues:
    def test_integers_stay_exact(self, admin):
        told = admin.get("/api/v1/retries").text
        assert str(BIG) in told

    def test_a_row_says_what_it_is(self, admin):
        (row,) = admin.get("/api/v1/retries").json()["rows"]
        assert (row["jid"], row["job_class"], row["queue"]) == (RETRY_JID, JOB_CLASS, QUEUE)
        assert row["error"]["error_class"] == "TimeoutError"

    def test_processes_and_work(self, admin):
        assert [each["identity"] for each in admin.get("/api/v1/processes").json()["processes"]] == [IDENTITY]
        assert len(admin.get("/api/v1/work").json()["jobs"]) == 1

    def test_a_job_is_found(self, admin):
        told = admin.get(f"/api/v1/jobs/{RETRY_JID}").json()
        assert told["job"]["jid"] == RETRY_JID

    def test_a_job_that_is_not_there(self, admin):
        answer = admin.get(f"/api/v1/jobs/{'9' * 24}")
        assert answer.status_code == 404
        assert answer.json()["job"] is None

    def test_errors_are_grouped(self, admin):
        (group,) = admin.get("/api/v1/errors/retries").json()["groups"]
        assert group["count"] == 1

    def test_pages_go_on_where_they_ended(self, admin, filled):
        members = {json.dumps(failed(f"{number:024}")): 1_900_000_000 + number for number in range(30)}
        filled.zadd("retry", members)
        first = admin.get("/api/v1/retries?limit=20&page=1").json()["rows"]
        second = admin.get("/api/v1/retries?limit=20&page=2").json()["rows"]
        assert len({row["jid"] for row in [*first, *second]}) == 31

    def test_hostile_bytes_are_json(self, admin, filled):
        filled.zadd("retry", {b"\xff\xfe no json": 1, b'{"class": "\\ud800", "jid": 5}': 2, b"": 3})
        assert len(admin.get("/api/v1/retries").json()["rows"]) == 4

    def test_health_is_503_only_if_it_is_ill(self, admin, filled):
        filled.delete("processes", IDENTITY, f"{IDENTITY}:work")
        told = admin.get("/api/v1/health")
        assert (told.status_code, told.json()["level"]) == (503, "fail")
        filled.flushall()
        assert admin.get("/api/v1/health").json()["level"] in ("ok", "warn", "fail")


class TestErrors:
    """As RFC 9457 says."""

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("/api/v1/nothing", 404, "not_found"),
            ("/api/v1/retries?limit=501", 400, "bad_request"),
            ("/api/v1/retries?limt=5", 400, "bad_request"),
            ("/api/v1/errors/processes", 404, "not_found"),
            ("/api/v1/metrics?period=9h", 400, "bad_request"),
        ],
    )
    def test_what_is_wrong_is_a_problem(self, path, status, code, admin):
        answer = admin.get(path)
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
        assert told["title"]
        assert told["detail"]

    def test_a_stranger_is_told_how_to_come_in(self, dash, filled):
        answer = dash().client("").get("/api/v1/queues")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")

    def test_a_role_that_is_too_low_is_told(self, dash, filled):
        told = dash().client("viewer").post(f"/api/v1/queues/{QUEUE}:pause").json()
        assert (told["status"], told["detail"]) == (403, "This needs the role operator; yours is viewer.")

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"[1]", "application/json", 400),
            (b"{", "application/json", 400),
            (b'{"confirmed": {}}', "application/json", 400),
            (b'{"confirmed": "perhaps"}', "application/json", 400),
            (b'{"unknown": 1}', "application/json", 400),
            (b"confirmed=1", "application/x-www-form-urlencoded", 415),
            (b"x", "text/plain", 415),
            (b'{"key": "' + b"x" * 1_000_001 + b'"}', "application/json", 413),
        ],
        ids=range(8),
    )
    def test_a_body_that_is_wrong_changes_nothing(self, body, kind, status, admin, filled):
        before = digest(filled)
        answer = admin.post(f"/api/v1/queues/{QUEUE}:clear", content=body, headers={"content-type": kind})
        assert answer.status_code == status
        assert digest(filled) == before


class TestActions:
    def test_pause(self, admin, filled):
        answer = admin.post(f"/api/v1/queues/{QUEUE}:pause")
        assert (answer.status_code, answer.json()["code"]) == (200, "done")
        assert filled.smembers("paused") == {QUEUE.encode()}

    def test_a_removal_shows_first_what_it_would_remove(self, admin, filled):
        answer = admin.post(f"/api/v1/queues/{QUEUE}:clear")
        told = answer.json()
        assert (answer.status_code, told["code"], told["expected_count"]) == (428, "unconfirmed", 1)
        assert filled.llen(f"queue:{QUEUE}") == 1

    def test_and_removes_when_it_is_confirmed(self, admin, filled):
        told = admin.post(f"/api/v1/queues/{QUEUE}:clear", json={"confirmed": True, "expected_count": 1}).json()
        assert (told["code"], told["moved"]) == ("done", 1)
        assert filled.llen(f"queue:{QUEUE}") == 0
        back = admin.post(f"/api/v1/undo/{told['undo_id']}:restore").json()
        assert (back["code"], filled.llen(f"queue:{QUEUE}")) == ("done", 1)

    def test_or_says_that_there_is_far_from_so_many(self, admin, filled):
        answer = admin.post(f"/api/v1/queues/{QUEUE}:clear", json={"confirmed": True, "expected_count": 1000})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert filled.llen(f"queue:{QUEUE}") == 1

    def test_many_are_an_operation_of_their_own(self, admin, filled):
        body = {"q": f"class:{JOB_CLASS}", "confirmed": True, "expected_count": 1}
        answer = admin.post("/api/v1/bulk/retries:delete", json=body)
        assert answer.status_code == 202
        place = answer.headers["location"]
        assert place == f"/api/v1/bulk/{answer.json()['bulk_id']}"
        while admin.get(place).json()["report"]["state"] == "running":
            pass
        assert filled.zcard("retry") == 0

    def test_another_count_than_was_seen_is_a_conflict(self, admin, filled):
        body = {"q": f"class:{JOB_CLASS}", "confirmed": True, "expected_count": 5000}
        answer = admin.post("/api/v1/bulk/retries:delete", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert filled.zcard("retry") == 1

    def test_ticked_rows(self, admin, filled):
        (row,) = admin.get("/api/v1/dead").json()["rows"]
        answer = admin.post("/api/v1/sets/dead:retry", json={"key": [row["key"]]})
        assert answer.json()["moved"] == 1
        assert filled.zcard("dead") == 0

    def test_an_undo_that_is_over_is_not_found(self, admin):
        answer = admin.post("/api/v1/undo/nobody:restore")
        assert answer.status_code in (200, 404)
        assert answer.json()["code"] in ("not_found", "nothing", "refused")


class TestSecrets:
    def test_redacted_arguments_are_nowhere(self, dash, filled):
        def hide(job, field, value):
            return HIDDEN if field == "args" else value

        client = dash(redact=hide).client("admin")
        for path in (
            "/retries?view=list",
            "/queues/mail",
            f"/jobs/{RETRY_JID}?in=retries",
            "/busy",
            "/search?q=hunter2",
        ):
            assert '"secret"' not in client.get(path).text.replace("&#34;", '"')
            assert client.get(f"/api/v1{path}".replace("?view=list", "")).text.count("a@example.com") == 0
        for kind in ("csv", "ndjson"):
            assert "a@example.com" not in client.get(f"/export/retries.{kind}").text

    def test_a_search_does_not_tell_what_is_hidden(self, dash, filled):
        def hide(job, field, value):
            return HIDDEN if field == "args" else value

        client = dash(redact=hide).client("admin")
        assert client.get("/api/v1/retries?q=a@example.com").json()["rows"] == []
        assert len(dash().client("admin").get("/api/v1/retries?q=a@example.com").json()["rows"]) == 1

    def test_arguments_may_be_for_operators_only(self, dash, filled):
        board = dash(arguments_for="operator")
        assert "a@example.com" not in board.client("viewer").get("/api/v1/retries").text
        assert "a@example.com" in board.client("operator").get("/api/v1/retries").text

    def test_a_password_of_redis_is_nowhere(self, dash, redis_url, filled):
        from pillion.config import Config, RedisConfig

        filled.acl_setuser("web", enabled=True, passwords=["+hunter2"], keys=["*"], channels=["*"], commands=["+@all"])
        config = Config(redis=RedisConfig(url=redis_url, username="web", password="hunter2"))
        client = dash(config=config).client("admin")
        for path in ("/", "/busy", "/stats", "/api/v1/health", "/api/v1/openapi.json"):
            answer = client.get(path)
            assert answer.status_code in (200, 503)
            assert "hunter2" not in answer.text.replace("&#34;secret&#34;: &#34;hunter2&#34;", "")
        filled.acl_deluser("web")


class TestDocument:
    def test_it_is_an_openapi_document(self, admin):
        told = admin.get("/api/v1/openapi.json").json()
        assert told["openapi"].startswith("3.1")
        validate(told, cls=OpenAPIV31SpecValidator)

    def test_every_route_of_the_api_is_in_it(self, admin):
        told = admin.get("/api/v1/openapi.json").json()
        named = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
        assert named == {(route.method, route.path) for route in ROUTES if route.kind == "api"}

    def test_a_read_only_one_has_no_actions(self, dash, filled):
        told = dash(read_only=True).client("viewer").get("/api/v1/openapi.json").json()
        assert {method for methods in told["paths"].values() for method in methods} == {"get"}

    def test_it_knows_where_it_is_mounted(self, dash, filled):
        told = dash().client("admin", root="/admin/jobs").get("/api/v1/openapi.json").json()
        assert told["servers"] == [{"url": "/admin/jobs"}]

    @pytest.mark.parametrize("route", READS, ids=lambda route: route.name)
    def test_an_answer_has_the_fields_that_the_document_says(self, route, admin):
        told = admin.get("/api/v1/openapi.json").json()
        schema = told["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        if "$ref" not in schema:
            return
        properties = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]["properties"]
        answer = admin.get(paths.fill(route.path, PLACES))
        assert set(answer.json()) == set(properties)
