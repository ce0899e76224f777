"""promote_payload: what the scheduler does to a payload whose time has come (wire-format 3.2, behaviour 8)."""

import pytest
from own_home import NOW_MS, OwnHome


@pytest.fixture
def home():
    return OwnHome()


def promote(home, **keys):
    return home.client().promote_payload({"class": "Hard", "args": [1], "jid": "a", "created_at": 5, **keys})


def test_it_sets_enqueued_at_and_keeps_what_was_there(home):
    assert promote(home, queue="q", retry=3, tenant="t") == {
        "retry": 3,
        "queue": "q",
        "class": "Hard",
        "args": [1],
        "jid": "a",
        "created_at": 5,
        "tenant": "t",
        "enqueued_at": NOW_MS,
    }


def test_at_does_not_stay(home):
    assert "at" not in promote(home, at=5)


def test_global_defaults_go_under_it(home):
    home.settings.default_job_options = {"queue": "global", "tenant": "t"}
    assert promote(home)["queue"] == "global"
    assert promote(home, queue="own")["queue"] == "own"
    assert promote(home)["tenant"] == "t"


def test_options_of_the_class_do_not(home):
    """The scheduler knows the class by its name only: it may be that of another language."""

    @home.job(queue="high", wire_name="Hard")
    def hard(n): ...

    assert promote(home)["queue"] == "default"


def test_client_middleware_runs_with_the_name_of_the_class(home):
    seen = []

    def spy(job_class, payload, queue, redis_pool, next_):
        seen.append((job_class, queue))
        payload["stamp"] = 1
        return next_()

    home.settings.client_middleware.add(spy)
    assert promote(home, queue="q")["stamp"] == 1
    assert seen == [("Hard", "q")]


def test_client_middleware_may_stop_it(home):
    home.settings.client_middleware.add(lambda job_class, payload, queue, redis_pool, next_: None)
    assert promote(home) is None


def test_the_payload_that_was_given_is_left_alone(home):
    payload = {"class": "Hard", "args": [], "jid": "a", "at": 5}
    before = dict(payload)
    home.client().promote_payload(payload)
    assert payload == before


def test_a_payload_that_lacks_keys_is_completed_not_refused(home):
    promoted = home.client().promote_payload({"class": "Old", "queue": None})
    assert (promoted["queue"], promoted["jid"], promoted["created_at"]) == ("default", "j1", NOW_MS)
