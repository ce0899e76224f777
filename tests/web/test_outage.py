"""Redis goes away: a page that says so, soon, without a traceback; and what was is there again when it is back."""

import re

import pytest
from web_client import client_of
from web_scene import HOST, TOKENS, fill

from pillion.config import Config, RedisConfig
from pillion.web import BearerTokens, User, app

PAGES = ["/", "/queues", "/retries", "/busy", "/metrics", "/jobs/abc", "/stats", "/export/retries.csv"]


@pytest.fixture
def board(own_redis, dash):
    with own_redis.client() as client:
        fill(client)
    return dash(config=Config(redis=own_redis.url))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_says_that_redis_is_away_and_which(path, board, own_redis):
    own_redis.kill()
    answer = board.client("admin").get(path)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "RedisUnavailable" in answer.text
    assert own_redis.socket in answer.text
    for word in ("Traceback", "redis.exceptions", "site-packages", 'File "'):
        assert word not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/stats", "/api/v1/retries", "/api/v1/health", "/api/v1/export/dead.ndjson"])
def test_a_program_is_told_as_a_problem(path, board, own_redis):
    own_redis.kill()
    answer = board.client("admin").get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_fragment_too(board, own_redis):
    own_redis.kill()
    answer = board.client("admin").get("/queues?fragment=1")
    assert answer.status_code == 503
    assert "<html" not in answer.text


def test_an_action_is_not_done_and_is_in_the_log(board, own_redis, caplog):
    caplog.set_level("INFO", "pillion.audit")
    own_redis.kill()
    answer = board.client("admin").post("/queues/mail/pause")
    assert answer.status_code == 503
    assert "failed: RedisUnavailable" in caplog.text


def test_it_is_there_again_when_redis_is_back(board, own_redis):
    client = board.client("admin")
    assert client.get("/queues").status_code == 200
    own_redis.kill()
    assert client.get("/queues/mail").status_code == 503  # the list of queues is remembered for a second
    own_redis.start()
    assert client.get("/queues?q=third").status_code == 200


def test_a_redis_that_hangs_is_given_up_soon(board, own_redis):
    own_redis.pause()
    try:
        answer = board.client("admin").get("/queues")
    finally:
        own_redis.resume()
    assert answer.status_code == 503


def test_a_redis_that_refuses_to_write_is_told(board, own_redis):
    with own_redis.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")  # a replica is read-only
    answer = board.client("admin").post("/queues/mail/pause")
    assert answer.status_code == 503
    assert "RedisRefused" in answer.text


def test_a_password_is_not_told():
    users = BearerTokens({TOKENS["admin"]: User("ana", "admin")})
    config = Config(redis=RedisConfig(url="redis://user:hunter2@127.0.0.1:1/0"))

    client = client_of(app(auth=users, config=config), f"http://{HOST}")
    answer = client.get("/", headers={"authorization": f"Bearer {TOKENS['admin']}"})
    assert answer.status_code == 503
    assert "hunter2" not in answer.text
    assert re.search(r"127\.0\.0\.1:1\b", answer.text)


def test_a_key_of_a_wrong_type_breaks_its_page_at_most(dash, raw):
    fill(raw)
    raw.delete("retry")
    raw.set("retry", "no sorted set")
    client = dash().client("admin")
    assert client.get("/queues").status_code == 200
    for path in ("/", "/retries", "/api/v1/retries"):
        answer = client.get(path)
        assert answer.status_code in (200, 503)
        assert "Traceback" not in answer.text
