"""LogArguments and Timing: what they say of a run, and that they never harm it (F125, F126)."""

from __future__ import annotations

import asyncio
import logging
from contextlib import nullcontext

import pytest
from own_home import OwnHome

from pillion import log
from pillion.errors import ConfigError, Interrupted, Shutdown
from pillion.middleware import LogArguments, ServerChain, Timing
from pillion.middleware.timing import NAME


class Options:
    skip_default_job_logging = False
    logged_job_attributes = ()
    log_arguments = True


@pytest.fixture
def home():
    return OwnHome()


class TestDescribe:
    def test_arguments_stand_with_their_names(self):
        text = LogArguments().describe(("order_id", "country", "ok"), [42, "DE", None])
        assert text == 'order_id=42 country="DE" ok=null'

    @pytest.mark.parametrize("name", ["email", "user_email", "password", "api_token", "Authorization", "phone"])
    def test_what_may_not_be_read_is_hidden(self, name):
        assert LogArguments().describe((name,), ["x"]) == f"{name}=[FILTERED]"

    def test_words_can_be_added_and_taken_back(self):
        middleware = LogArguments(["vat"], show=["email"])
        assert middleware.describe(("vat", "email"), [1, "a@b"]) == 'vat=[FILTERED] email="a@b"'

    def test_maps_are_looked_into(self):
        value = {"id": 1, "token": "s3cret", "users": [{"email": "a@b", "age": 3}]}
        text = LogArguments().describe(("data",), [value])
        assert text == 'data={"id": 1, "token": "[FILTERED]", "users": [{"email": "[FILTERED]", "age": 3}]}'

    def test_arguments_without_a_name_are_hidden_unless_they_are_numbers(self):
        assert LogArguments().describe(("id",), [1, "x", 2.5, True]) == "id=1 [FILTERED] 2.5 [FILTERED]"

    def test_a_long_argument_is_cut(self):
        assert LogArguments(max_chars=10).describe(("text_id",), ["x" * 50]) == 'text_id="xxxxxxxxx...'

    def test_fewer_arguments_than_names(self):
        assert LogArguments().describe(("a", "b"), [1]) == "a=1"

    def test_a_lone_text_is_refused(self):
        with pytest.raises(ConfigError, match="lists of names"):
            LogArguments("email")


class TestLogArguments:
    def test_the_lines_of_the_job_and_its_last_one_have_them(self, home):
        seen = []

        class Ship(home.Job):
            def perform(self, order_id, email):
                seen.append(log.context()["arguments"])

        payload = {"class": "Ship", "jid": "1", "args": [42, "a@b"], "queue": "default"}
        job_log = log.JobLog(logging.getLogger("pillion.test"), Options())
        chain = ServerChain()
        chain.add(LogArguments())
        token = job_log.enter(payload)
        try:
            job = Ship.__job__.new(payload)
            chain.invoke(job, payload, "default", lambda: job.perform(*payload["args"]))
            seen.append(log.context()["arguments"])  # as the line "done" has it
        finally:
            job_log.leave(token)
        assert seen == ["order_id=42 email=[FILTERED]"] * 2
        assert log.context() == {}

    def test_inline_too_for_classes_and_functions_sync_and_async(self, home):
        seen = []
        home.settings.server_middleware.add(LogArguments)

        class Ship(home.Job):
            def perform(self, order_id):
                seen.append(log.context()["arguments"])

        @home.job
        async def send(order_id, email="none"):
            seen.append(log.context()["arguments"])

        Ship.perform_inline(1)
        send.perform_inline(2, "a@b")
        assert seen == ["order_id=1", "order_id=2 email=[FILTERED]"]
        assert log.context() == {}

    @pytest.mark.parametrize("args", [None, "abc", {"a": 1}])
    def test_a_payload_without_a_list_of_arguments(self, args):
        chain = ServerChain()
        chain.add(LogArguments())

        class Any:
            def perform(self): ...

        assert chain.invoke(Any(), {"args": args}, "default", lambda: "ran") == "ran"


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        self.now_s += 0.25
        return self.now_s


def measured(error=None, kind="sync", emit=None, payload=None):
    found = []
    chain = ServerChain()
    chain.add(Timing(emit or (lambda *each: found.append(each)), clock=Clock()))

    def body():
        if error is not None:
            raise error
        return "result"

    async def async_body():
        return body()

    payload = payload or {"class": "shop.Ship"}
    with nullcontext() if error is None else pytest.raises(type(error)) as caught:
        if kind == "sync":
            chain.invoke("job", payload, "low", body)
        else:
            asyncio.run(chain.invoke_async("job", payload, "low", async_body))
    assert error is None or caught.value is error
    return found


class TestTiming:
    @pytest.mark.parametrize("kind", ["sync", "async"])
    @pytest.mark.parametrize(
        ("error", "outcome"),
        [(None, "ok"), (ValueError(), "error"), (Interrupted(), "interrupted"), (Shutdown(), "interrupted")],
    )
    def test_one_measurement_for_each_run_however_it_ends(self, kind, error, outcome):
        assert measured(error, kind) == [(NAME, 250.0, {"class": "shop.Ship", "queue": "low", "outcome": outcome})]

    def test_the_class_inside_a_wrapper_counts(self):
        assert measured(payload={"class": "Wrapper", "wrapped": "Mailer"})[0][2]["class"] == "Mailer"

    def test_one_that_cannot_be_sent_harms_no_job_and_is_said_once_a_minute(self, caplog):
        clock = Clock()

        def emit(*_):
            raise OSError("no statsd")

        middleware = Timing(emit, clock=clock)
        chain = ServerChain()
        chain.add(middleware)
        assert [chain.invoke("job", {}, "low", lambda: "ran") for _ in range(3)] == ["ran"] * 3
        assert len(caplog.records) == 1
        clock.now_s += 60
        assert chain.invoke("job", {}, "low", lambda: "ran") == "ran"
        assert len(caplog.records) == 2

    def test_an_error_of_the_job_is_not_hidden_by_one_of_the_measurement(self, caplog):
        def emit(*_):
            raise OSError("no statsd")

        error = ValueError("the job's")
        measured(error, emit=emit)

    def test_without_a_target_it_is_logged(self, caplog):
        chain = ServerChain()
        chain.add(Timing(clock=Clock()))
        with caplog.at_level(logging.INFO, "pillion.timing"):
            chain.invoke("job", {"class": "A"}, "low", lambda: None)
        assert caplog.messages == ["sidekiq.job.duration 250.0 ms class=A queue=low outcome=ok"]
