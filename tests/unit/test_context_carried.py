"""Context that travels with jobs: what is stored, what lines show, what the next job sees of it (F129 to F132)."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import re
import threading

import pytest
from own_home import OwnHome

from pillion import log
from pillion.ambient import context, current_context, no_context
from pillion.errors import ConfigError, InvalidJob
from pillion.wire.codec import dumps


def meta(payload):
    return {key: value for key, value in payload.items() if key.startswith("meta.")}


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def note(home):
    class Note(home.Job):
        def perform(self, number=0): ...

    return Note


class Options:
    skip_default_job_logging = False
    logged_job_attributes = ("bid", "tags")
    log_arguments = True


@pytest.fixture
def running():
    """`running(payload)`: from now on this thread runs it, as a worker would have it."""
    job_log = log.JobLog(logging.getLogger("pillion.test"), Options())
    tokens = []

    def run(payload):
        tokens.append(job_log.enter(payload))

    yield run
    for token in reversed(tokens):
        job_log.leave(token)


class TestFacts:
    def test_without_any_nothing_is_stored_and_nothing_logged(self, home, note):
        note.perform_async(1)
        assert meta(home.sent.pushed[0]) == {}
        assert (log.context(), current_context()) == ({}, {})

    def test_they_hold_inside_the_block_only(self):
        with context(user="ann"):
            assert current_context() == {"user": "ann"}
        assert current_context() == {}

    def test_what_held_before_comes_back_after_an_error(self):
        with context(user="ann"):
            with pytest.raises(ValueError), context(user="bob", project="shop"):
                raise ValueError
            assert current_context() == {"user": "ann"}

    def test_an_inner_block_adds_replaces_and_takes_away(self):
        with context(user="ann", project="shop", plan=1), context(project="mail", plan=None, ok=True):
            assert current_context() == {"user": "ann", "project": "mail", "ok": True}

    def test_no_context_is_none_at_all(self, home, note):
        with context(user="ann"), no_context():
            note.perform_async()
            assert log.context() == {}
        assert meta(home.sent.pushed[0]) == {}

    @pytest.mark.parametrize("value", [object(), [1], {"id": 1}, float("nan"), b"x", ("a",)])
    def test_only_plain_values(self, value):
        with (
            pytest.raises(ConfigError, match=r"context\.user: expected a text, a number or a bool"),
            context(user=value),
        ):
            pass

    @pytest.mark.parametrize("name", ["", "a b", "1st", "user.id", "a=1\nclass", "x\ud800"])
    def test_only_identifiers_are_names(self, name):
        with pytest.raises(ConfigError, match="context: expected names as those of Python's variables"):
            context(**{name: "ann"}).__enter__()
        assert current_context() == {}

    def test_an_odd_name_that_a_job_brought_can_be_taken_away(self):
        with log.carrying({"meta.user.id": 7}), context(**{"user.id": None}):
            assert current_context() == {}

    def test_it_decorates_a_function(self):
        @context(user="ann")
        def look():
            return current_context()

        assert (look(), look(), current_context()) == ({"user": "ann"}, {"user": "ann"}, {})

    def test_lines_show_them_outside_of_a_job_too(self):
        with context(user="ann"), log.with_context(order=1):
            assert log.context() == {"meta.user": "ann", "order": 1}


class TestPushes:
    def test_every_kind_of_push_takes_them_along(self, home, note):
        with context(user="ann"):
            note.perform_async(1)
            note.perform_in(60, 1)
            note.set(queue="low").perform_async(1)
            note.perform_bulk([[1], [2]])
            note.bulk_perform_in(60, [[1]])
            home.client().push({"class": "Ruby::Job", "args": []})
            home.client().push_many([(note, [1])])
            asyncio.run(note.perform_async.aio(1))
        payloads = home.sent.pushed + home.sent_async.pushed
        assert [meta(payload) for payload in payloads] == [{"meta.user": "ann"}] * 9

    def test_what_the_push_says_itself_wins(self, home):
        with context(user="ann", project="shop"):
            home.client().push({"class": "Ruby::Job", "args": [], "meta.user": "bob"})
        assert meta(home.sent.pushed[0]) == {"meta.user": "bob", "meta.project": "shop"}

    def test_what_is_no_job_is_still_refused_in_words(self, home):
        with context(user="ann"), pytest.raises(InvalidJob, match="A job must be a map"):
            home.client().push("oops")

    def test_a_class_that_does_not_carry_context_gets_none(self, home):
        class Nightly(home.Job):
            carries_context = False

            def perform(self): ...

        with context(user="ann"):
            Nightly.perform_async()
            Nightly.perform_bulk([[]])
        assert [meta(payload) for payload in home.sent.pushed] == [{}, {}]

    def test_a_promoted_job_keeps_its_own_and_takes_no_others(self, home):
        with context(user="operator"):
            assert meta(home.client().promote_payload({"class": "A", "args": [], "meta.user": "ann"})) == {
                "meta.user": "ann"
            }
            assert meta(home.client().promote_payload({"class": "A", "args": []})) == {}

    def test_the_payload_is_otherwise_the_same(self, home, note):
        note.perform_async(1)
        with context(user="ann"):
            note.perform_async(1)
        without, with_it = home.sent.pushed
        assert dumps({**with_it, "jid": "j1"}) == dumps(without).replace(b'"args"', b'"meta.user":"ann","args"')


class TestInsideAJob:
    def test_the_running_jobs_facts_hold_and_travel_on(self, home, note, running):
        running({"class": "A", "jid": "1", "args": [], "queue": "default", "meta.project": "shop"})
        assert current_context() == {"project": "shop"}
        assert log.context()["meta.project"] == "shop"
        note.perform_async()
        assert meta(home.sent.pushed[0]) == {"meta.project": "shop"}

    def test_with_context_lays_more_over_them(self, home, note, running):
        running({"class": "A", "jid": "1", "args": [], "meta.project": "shop", "meta.user": "ann"})
        with note().with_context(project="mail", user=None):
            note.perform_async()
            assert {key: value for key, value in log.context().items() if key.startswith("meta.")} == {
                "meta.project": "mail"
            }
        assert meta(home.sent.pushed[0]) == {"meta.project": "mail"}
        assert log.context()["meta.user"] == "ann"

    def test_the_next_job_of_the_thread_sees_nothing_of_a_block_left_open(self, running):
        running({"class": "A", "args": [], "meta.user": "ann"})
        left_open = context(user="bob")
        left_open.__enter__()
        assert current_context() == {"user": "bob"}
        running({"class": "B", "args": [], "meta.user": "cid"})
        assert current_context() == {"user": "cid"}
        assert log.context()["meta.user"] == "cid"

    def test_the_lines_start_and_done_have_them(self):
        job_log = log.JobLog(logging.getLogger("pillion.test"), Options())
        facts = job_log.context({"class": "A", "jid": "1", "args": [1], "queue": "default", "meta.project": "shop"})
        assert facts == {"class": "A", "jid": "1", "queue": "default", "args": [1], "meta.project": "shop"}

    def test_what_add_context_added_stays_inside_of_a_block(self, running):
        running({"class": "A", "args": [], "meta.user": "ann"})
        log.add_context(order=42)
        with context(user="bob"):
            assert (log.context()["order"], log.context()["meta.user"]) == (42, "bob")

    def test_an_inline_job_has_that_of_its_caller(self, home):
        seen = []

        class Look(home.Job):
            def perform(self):
                seen.append(current_context())

        with context(user="ann"):
            Look.perform_inline()
        assert seen == [{"user": "ann"}]


class TestThreadsAndTasks:
    def test_another_thread_has_its_own(self):
        seen = []
        with context(user="ann"):
            thread = threading.Thread(target=lambda: seen.append(current_context()))
            thread.start()
            thread.join()
        assert seen == [{}]

    def test_tasks_that_take_turns_do_not_mix(self, home, note):
        async def request(user, mine, other):
            with context(user=user):
                mine.set()
                await other.wait()
                await note.perform_async.aio(user)

        async def both():
            one, two = asyncio.Event(), asyncio.Event()
            await asyncio.gather(request("ann", one, two), request("bob", two, one))

        asyncio.run(both())
        assert {payload["args"][0]: payload["meta.user"] for payload in home.sent_async.pushed} == {
            "ann": "ann",
            "bob": "bob",
        }

    def test_a_copied_context_carries_on(self):
        with context(user="ann"):
            copy = contextvars.copy_context()
        assert copy.run(current_context) == {"user": "ann"}


class TestBulkWithContexts:
    @pytest.mark.parametrize("way", ["sync", "aio"])
    def test_each_job_has_its_own(self, home, note, way):
        call = note.bulk_perform_async_with_contexts
        ways = {
            "sync": lambda: call([1, 2], arguments=lambda n: [n], context=lambda n: {"project": f"p{n}"}),
            "aio": lambda: asyncio.run(
                call.aio([1, 2], arguments=lambda n: [n], context=lambda n: {"project": f"p{n}"})
            ),
        }
        with context(user="ann", project="none"):
            assert ways[way]() == ["j1", "j2"]
        sent = home.sent if way == "sync" else home.sent_async
        assert [(payload["args"], meta(payload)) for payload in sent.pushed] == [
            ([1], {"meta.user": "ann", "meta.project": "p1"}),
            ([2], {"meta.user": "ann", "meta.project": "p2"}),
        ]
        assert len(sent.trips) == 1

    def test_a_single_argument_needs_no_list(self, home, note):
        note.bulk_perform_async_with_contexts([7], arguments=lambda n: n, context=lambda _: {"user": None})
        assert (home.sent.pushed[0]["args"], meta(home.sent.pushed[0])) == ([7], {})

    @pytest.mark.parametrize("way", ["sync", "aio"])
    def test_later(self, home, note, way):
        call = note.set(queue="low").bulk_perform_in_with_contexts
        keys = {"arguments": lambda n: [n], "context": lambda n: {"user": str(n)}}
        if way == "sync":
            call(300, [1, 2], **keys)
        else:
            asyncio.run(call.aio(300, [1, 2], **keys))
        sent = home.sent if way == "sync" else home.sent_async
        assert [(at, p["queue"], p["meta.user"]) for at, p in sent.scheduled] == [
            (home.now_s + 300, "low", "1"),
            (home.now_s + 300, "low", "2"),
        ]

    def test_set_wait_counts_for_it(self, home, note):
        note.set(wait=60).bulk_perform_async_with_contexts([1], arguments=lambda n: [n], context=lambda _: {})
        assert [at for at, _ in home.sent.scheduled] == [home.now_s + 60]

    def test_objects_are_read_once_each_and_lazily(self, home, note):
        calls = []

        def arguments(n):
            calls.append(n)
            return [n]

        note.bulk_perform_async_with_contexts(iter(range(5)), arguments=arguments, context=lambda _: {}, batch_size=2)
        assert calls == [0, 1, 2, 3, 4]
        assert [len(trip) for trip in home.sent.trips] == [2, 2, 2]

    def test_a_name_that_is_no_text_is_refused(self, home, note):
        with pytest.raises(ConfigError, match="context: expected names as those of Python's variables, got 1"):
            note.bulk_perform_async_with_contexts([1], arguments=lambda n: [n], context=lambda _: {1: "ann"})
        assert home.sent.trips == []

    def test_wrong_facts_are_refused_before_their_batch_is_sent(self, home, note):
        with pytest.raises(ConfigError, match=r"context\.user"):
            note.bulk_perform_async_with_contexts([1], arguments=lambda n: [n], context=lambda _: {"user": object()})
        assert home.sent.trips == []

    @pytest.mark.parametrize(
        ("arguments", "context_of", "message"),
        [
            ([1], lambda _: {}, "arguments: expected a function"),
            (lambda n: n, {"user": "ann"}, "context: expected a function that is called"),
            (lambda n: n, lambda _: "ann", "context: expected a function that returns a map"),
        ],
    )
    def test_what_is_no_function_is_refused(self, note, arguments, context_of, message):
        with pytest.raises(ConfigError, match=message):
            note.bulk_perform_async_with_contexts([1], arguments=arguments, context=context_of)


class TestLines:
    """What the formatters make of it; start, done and fail are lines of their own kind."""

    @pytest.fixture
    def text(self):
        logger = logging.getLogger("pillion.test.lines")
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        yield logger, handler, lambda: stream.getvalue().splitlines()
        logger.removeHandler(handler)

    @pytest.mark.parametrize("formatter", [log.TextFormatter(), log.JsonFormatter()])
    def test_every_line_of_a_job_has_them_as_they_hold_there(self, text, formatter):
        logger, handler, lines = text
        handler.setFormatter(formatter)
        payload = {"class": "A", "jid": "1", "args": [], "queue": "default", "meta.user": "ann", "meta.plan": 1}
        job_log = log.JobLog(logger, Options())
        facts, token = job_log.context(payload), job_log.enter(payload)
        job_log.start(facts)
        with context(user="bob", plan=None):
            logger.info("inside")
        logger.info("after")
        job_log.done(facts, 0.1, 0.1)
        job_log.leave(token)
        with context(user="cid"):
            logger.info("outside")
        logger.info("nobody")
        shown = [(sorted(set(re.findall(r'meta\.\w+"?[=:] ?"?\w+', line)))) for line in lines()]
        plain = [[re.sub(r'["\s]', "", word).replace(":", "=") for word in words] for words in shown]
        both = ["meta.plan=1", "meta.user=ann"]
        assert plain == [both, ["meta.user=bob"], both, both, ["meta.user=cid"], []]


def test_the_marker_of_a_class_is_no_option(home):
    with pytest.raises(ConfigError, match="Write `carries_context = False` there"):

        class Nightly(home.Job, carries_context=False):
            def perform(self): ...
