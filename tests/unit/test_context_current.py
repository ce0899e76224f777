"""CurrentAttributes: set for one thread or task, stored with each push, there again when the job runs (F128)."""

from __future__ import annotations

import asyncio
import json
import threading
from contextvars import ContextVar

import pytest
from own_home import OwnHome

from pillion import persist
from pillion.errors import ComplexArgument, ConfigError
from pillion.middleware import CurrentAttributes, carry
from pillion.middleware.current import read_attributes


@pytest.fixture
def current():
    class Current(CurrentAttributes):
        user_id: int | None = None
        tenant: str = "public"

        @classmethod
        def is_known(cls) -> bool:
            return cls.user_id is not None

    return Current


@pytest.fixture
def home(current):
    home = OwnHome()
    carry(home.settings, current)
    return home


def test_each_attribute_needs_a_default(current):
    with pytest.raises(ConfigError, match=r"Trace\.span: expected a default"):

        class Trace(CurrentAttributes):
            span: str
            depth: int = 0

    class Further(current):
        tenant: str
        _note: str

    assert Further.tenant == "public"


def cattrs(payload):
    return {key: value for key, value in payload.items() if key.startswith("cattr")}


class TestAttributes:
    def test_a_default_until_it_is_set_and_after_reset(self, current):
        assert (current.user_id, current.tenant, current.is_known()) == (None, "public", False)
        current.user_id = 7
        assert (current.user_id, current.is_known(), current.attributes()) == (7, True, {"user_id": 7})
        current.reset()
        assert (current.user_id, current.attributes()) == (None, {})

    def test_set_lasts_for_a_block(self, current):
        current.user_id = 1
        with pytest.raises(ValueError), current.set(user_id=7, tenant="shop"):
            assert (current.user_id, current.tenant) == (7, "shop")
            raise ValueError
        assert current.attributes() == {"user_id": 1}
        current.reset()

    def test_a_name_that_was_not_declared_is_refused(self, current):
        with pytest.raises(AttributeError, match="no attribute 'user': declare it in the class"):
            current.user = 7
        with pytest.raises(AttributeError, match="no attribute 'user'"):
            current.set(user=7)
        with pytest.raises(AttributeError, match="no attribute 'user'"):
            _ = current.user

    def test_another_thread_has_its_own(self, current):
        seen = []
        with current.set(user_id=7):
            thread = threading.Thread(target=lambda: (seen.append(current.user_id), setattr(current, "user_id", 8)))
            thread.start()
            thread.join()
            assert (seen, current.user_id) == ([None], 7)

    def test_so_has_another_task(self, current):
        async def request(number, mine, other):
            current.user_id = number
            mine.set()
            await other.wait()
            return current.user_id

        async def both():
            one, two = asyncio.Event(), asyncio.Event()
            return await asyncio.gather(request(1, one, two), request(2, two, one))

        assert asyncio.run(both()) == [1, 2]
        assert current.user_id is None

    def test_a_subclass_has_those_of_its_base_for_itself(self, current):
        class More(current):
            plan = "free"

        with More.set(user_id=7, plan="pro"):
            assert (More.user_id, More.tenant, More.plan, current.user_id) == (7, "public", "pro", None)
        assert {"user_id", "tenant", "plan", "set"} <= set(dir(More))


class TestPush:
    def test_what_is_set_is_stored_as_ruby_stores_it(self, home, current):
        class Note(home.Job):
            def perform(self): ...

        with current.set(user_id=7):
            Note.perform_async()
            Note.perform_bulk([[], []])
            Note.perform_in(60)
            asyncio.run(Note.perform_async.aio())
        Note.perform_async()
        payloads = home.sent.pushed + home.sent_async.pushed
        stored = {"cattr": {"user_id": 7}}
        assert [cattrs(payload) for payload in payloads] == [stored, stored, stored, stored, {}, stored]
        assert b'"cattr":{"user_id":7}' in home.sent.commands[1][2]

    def test_the_first_writer_wins(self, home, current):
        with current.set(user_id=7):
            home.client().push({"class": "A", "args": [], "cattr": {"user_id": 1}})
        assert cattrs(home.sent.pushed[0]) == {"cattr": {"user_id": 1}}

    def test_a_promoted_job_keeps_its_own(self, home, current):
        stored = {"class": "A", "args": [], "cattr": {"user_id": 1}}
        with current.set(user_id=7):
            assert home.client().promote_payload(stored)["cattr"] == {"user_id": 1}
            assert current.user_id == 7

    def test_other_middleware_of_the_push_sees_what_the_payload_came_with(self, home, current):
        seen = []
        home.settings.client_middleware.add(
            lambda job, payload, queue, pool, next_: (seen.append(current.user_id), next_())[1]
        )
        home.client().promote_payload({"class": "A", "args": [], "cattr": {"user_id": 1}})
        home.client().promote_payload({"class": "A", "args": []})
        assert seen == [1, None]

    @pytest.mark.parametrize("value", [object(), (1,), {1: 2}])
    def test_what_json_cannot_carry_is_refused_by_name(self, home, current, value):
        with current.set(user_id=value), pytest.raises(ComplexArgument, match=r"cattr\['user_id'\]"):
            home.client().push({"class": "A", "args": []})
        assert home.sent.trips == []


@pytest.mark.parametrize("kind", ["sync", "async"])
class TestRun:
    def run(self, home, kind, payload, look):
        class Look(home.Job):
            def perform(self):
                look()

        class LookAsync(home.Job):
            async def perform(self):
                await asyncio.sleep(0)
                look()

        chain = home.settings.server_middleware
        payload = {"class": "Look", "args": [], **payload}
        if kind == "sync":
            job = Look.__job__.new(payload)
            chain.invoke(job, payload, "default", job.perform)
        else:
            job = LookAsync.__job__.new(payload)
            asyncio.run(chain.invoke_async(job, payload, "default", job.perform))

    def test_the_old_value_is_seen_and_afterwards_the_new_one(self, home, current, kind):
        seen = []
        with current.set(user_id=8, tenant="mail"):
            self.run(home, kind, {"cattr": {"user_id": 7}}, lambda: seen.append((current.user_id, current.tenant)))
            assert current.attributes() == {"user_id": 8, "tenant": "mail"}
        assert seen == [(7, "public")]

    def test_a_key_that_is_not_declared_is_ignored(self, home, current, kind):
        seen = []
        self.run(home, kind, {"cattr": {"user_id": 7, "gone": 1}}, lambda: seen.append(current.attributes()))
        assert seen == [{"user_id": 7}]

    def test_an_attribute_error_of_the_job_is_its_own(self, home, current, kind):
        with pytest.raises(AttributeError, match="NoneType"):
            self.run(home, kind, {"cattr": {"user_id": 7}}, lambda: None.upper())
        assert current.attributes() == {}

    def test_what_the_job_sets_ends_with_it(self, home, current, kind):
        self.run(home, kind, {}, lambda: setattr(current, "user_id", 9))
        self.run(home, kind, {"cattr": {"tenant": "shop"}}, lambda: setattr(current, "user_id", 9))
        assert current.attributes() == {}

    def test_what_it_pushes_takes_the_same_along(self, home, current, kind):
        self.run(home, kind, {"cattr": {"user_id": 7}}, lambda: home.client().push({"class": "B", "args": []}))
        assert cattrs(home.sent.pushed[0]) == {"cattr": {"user_id": 7}}


def test_inline_runs_have_what_their_caller_has_and_give_it_back(home, current):
    seen = []

    class Look(home.Job):
        def perform(self):
            seen.append(current.user_id)
            current.user_id = 8

    with current.set(user_id=7):
        Look.perform_inline()
        assert current.user_id == 7
    Look.perform_inline()
    assert (seen, current.attributes()) == ([7, None], {})


class TestSeveral:
    def test_each_has_its_key_in_the_order_given(self, current):
        trace = ContextVar("trace")
        home = OwnHome()
        carry(home.settings, current, {"trace_id": trace})
        token = trace.set("t1")
        with current.set(user_id=7):
            home.client().push({"class": "A", "args": []})
        trace.reset(token)
        payload = home.sent.pushed[0]
        assert cattrs(payload) == {"cattr": {"user_id": 7}, "cattr_1": {"trace_id": "t1"}}
        seen = []
        home.settings.server_middleware.invoke(
            "job", payload, "default", lambda: seen.append((current.user_id, trace.get()))
        )
        assert (seen, trace.get("none")) == ([(7, "t1")], "none")

    def test_variables_that_were_set_before_come_back(self):
        trace = ContextVar("trace")
        home = OwnHome()
        carry(home.settings, {"trace_id": trace})
        trace.set("mine")
        home.settings.server_middleware.invoke(
            "job", {"cattr": {"trace_id": "x", "y": 1}}, "default", lambda: trace.set("z")
        )
        home.settings.server_middleware.invoke("job", {}, "default", lambda: trace.set("z"))
        assert trace.get() == "mine"

    @pytest.mark.parametrize("source", [5, object, {"a": 1}, "Current"])
    def test_anything_else_is_refused(self, source):
        with pytest.raises(ConfigError, match="CurrentAttributes classes, or maps of names to ContextVars"):
            carry(OwnHome().settings, source)

    def test_persist_refuses_it_at_once(self):
        with pytest.raises(ConfigError, match="got 'Current'"):
            persist("Current")

    def test_nothing_and_a_second_call_are_refused(self, current):
        home = OwnHome()
        with pytest.raises(ConfigError, match="at least one"):
            carry(home.settings)
        carry(home.settings, current)
        with pytest.raises(ConfigError, match="one call with all classes"):
            carry(home.settings, current)


SYMBOL = {"_aj_serialized": "ActiveJob::Serializers::SymbolSerializer"}


class TestRuby:
    def test_the_object_of_6_3_to_7_3(self):
        assert read_attributes(json.loads('{"user_id":1,"data":{"a":[1,2]}}')) == {"user_id": 1, "data": {"a": [1, 2]}}

    def test_the_list_of_8_0(self):
        stored = [
            [{**SYMBOL, "value": "user_id"}, 1],
            [{**SYMBOL, "value": "role"}, {**SYMBOL, "value": "admin"}],
            [{**SYMBOL, "value": "account"}, {"_aj_globalid": "gid://shop/Account/5"}],
            ["opts", {"a": {"b": 1, "_aj_symbol_keys": ["b"]}, "_aj_symbol_keys": ["a"]}],
            ["_aj_symbol_keys", ["x"]],
        ]
        assert read_attributes(stored) == {
            "user_id": 1,
            "role": "admin",
            "account": "gid://shop/Account/5",
            "opts": {"a": {"b": 1}},
        }

    @pytest.mark.parametrize("stored", [None, 5, "x", [1, [2], [1, 2, 3], [None, 1]], {}, []])
    def test_what_cannot_be_read_is_left_out(self, stored):
        assert read_attributes(stored) == {}
