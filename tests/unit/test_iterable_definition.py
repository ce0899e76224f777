"""What the class statement of an iterable job checks, and what a push of one checks."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager

import pytest

from pillion import IterableJob, Job
from pillion.config import Config
from pillion.definition.registry import Registry
from pillion.errors import ConfigError, InvalidJob, JobArgumentError
from pillion.iterable import sequence


class Home:
    """Where nothing can be pushed: no Redis is needed to define jobs, or to run them here and now."""

    def __init__(self):
        self._registry, self._config = Registry(), Config()

    def registry(self):
        return self._registry

    def config(self):
        return self._config

    def client(self):
        from pillion.client import Client

        return Client(None, self._config)

    def async_client(self):
        from pillion.client import AsyncClient

        return AsyncClient(None, self._config)


@pytest.fixture
def base():
    class Base(IterableJob, abstract=True, home=Home()):
        def build_enumerator(self, *args, cursor):
            return sequence(["a", "b", "c"], cursor)

    return Base


def test_an_iterable_job_is_a_job(base):
    class Letters(base, queue="high", retry=3):
        def each_iteration(self, letter, name): ...

    assert issubclass(Letters, Job)
    assert Letters.__job__.options == {"queue": "high", "retry": 3}
    assert Letters.__job__.is_async is False
    assert Letters.__home__.registry().find(Letters.__job__.wire_name) is Letters.__job__


def test_a_push_is_checked_against_each_iteration(base):
    class Letters(base):
        def each_iteration(self, letter, name, times=1): ...

    with pytest.raises(JobArgumentError, match=r"Letters.perform\(name, times=1\)"):
        Letters.perform_async()
    with pytest.raises(JobArgumentError, match="unexpected keyword argument 'letter'"):
        Letters.perform_async("x", letter="a")
    assert Letters.__job__.signature.bind((), {"name": "x", "times": 2}) == ["x", 2]


@pytest.mark.parametrize("missing", ["build_enumerator", "each_iteration"])
def test_a_class_without_either_method_is_a_base(missing):
    methods = {"build_enumerator": lambda self, *, cursor: None, "each_iteration": lambda self, item: None}
    del methods[missing]
    half = type("Half", (IterableJob,), methods)
    assert half.__job__.is_abstract
    with pytest.raises(InvalidJob, match=f"with no {missing} of its own. Define {missing} in it"):
        half.perform_async()


def test_pushing_a_class_that_is_marked_abstract_says_so(base):
    class Whole(base, abstract=True):
        def build_enumerator(self, *, cursor):
            return sequence([], cursor)

        def each_iteration(self, item): ...

    with pytest.raises(InvalidJob, match=r"marked with abstract=True\. Push one of"):
        Whole.perform_async()


def test_perform_may_not_be_defined(base):
    with pytest.raises(ConfigError, match=r"Letters.perform: expected not to be defined"):

        class Letters(base):
            def each_iteration(self, letter): ...
            def perform(self): ...


def test_perform_may_not_come_from_a_mixin(base):
    class Mixin:
        def perform(self): ...

    with pytest.raises(ConfigError, match=r"Mixin.perform: expected not to be defined"):

        class Letters(Mixin, base):
            def each_iteration(self, letter): ...


def test_a_subclass_of_an_iterable_job_is_one_with_its_own_arguments(base):
    class Letters(base):
        def each_iteration(self, letter): ...

    class Named(Letters):
        async def each_iteration(self, letter, name): ...

    assert Named.__job__.is_async
    assert not Letters.__job__.is_async
    assert Named.__job__.signature.maximum == 1
    assert Letters.__job__.signature.maximum == 0


def test_a_setting_has_its_unit_in_its_name(base):
    with pytest.raises(ConfigError, match="expected the name max_iteration_runtime_s"):
        type("Letters", (base,), {"max_iteration_runtime": 300})


def test_both_methods_take_the_same_arguments():
    with pytest.raises(ConfigError, match=r"Letters\.build_enumerator: expected to take what each_iteration takes"):

        class Letters(IterableJob, home=Home()):
            def build_enumerator(self, *, cursor): ...
            def each_iteration(self, letter, name): ...


def test_build_enumerator_must_take_the_cursor():
    with pytest.raises(ConfigError, match=r"and then `\*, cursor`"):

        class Letters(IterableJob, home=Home()):
            def build_enumerator(self, name): ...
            def each_iteration(self, letter, name): ...


@pytest.mark.parametrize("each", [lambda self: None, lambda *args: None, lambda self, *, item: None])
def test_each_iteration_takes_the_item(base, each):
    with pytest.raises(ConfigError, match="takes self, the item"):
        type("Letters", (base,), {"each_iteration": each})


def test_required_keywords_cannot_be_sent(base):
    with pytest.raises(ConfigError, match="parameters that can be sent by position"):

        class Letters(base):
            def each_iteration(self, letter, *, name): ...


@pytest.mark.parametrize("name", ["flush_every_s", "check_cancelled_every_s", "max_iteration_runtime_s"])
@pytest.mark.parametrize("value", ["5", -1, True, float("nan")])
def test_settings_are_seconds(base, name, value):
    with pytest.raises(ConfigError, match=f"Letters.{name}: expected seconds, 0 or more"):
        type("Letters", (base,), {"each_iteration": lambda self, item: None, name: value})


@pytest.mark.parametrize("name", ["build_enumerator", "each_iteration", "on_start", "on_complete", "around_iteration"])
def test_one_async_method_makes_the_job_async(base, name):
    async def method(self, *args, **kwargs): ...

    async def generator(self):
        yield

    methods = {"each_iteration": lambda self, item: None, name: generator if name == "around_iteration" else method}
    if name == "each_iteration":
        methods[name] = lambda self, item: None

        async def each(self, item): ...

        methods[name] = each
    assert type("Letters", (base,), methods).__job__.is_async


def test_around_must_be_a_generator(base):
    with pytest.raises(ConfigError, match="around_iteration: expected a generator function with one `yield`"):

        class Letters(base):
            def each_iteration(self, letter): ...
            def around_iteration(self): ...


# -- run here and now ------------------------------------------------------------------------------------


def test_inline_it_goes_through_everything_without_redis(base):
    seen = []

    class Letters(base):
        max_iteration_runtime_s = 0.0  # nobody would go on later

        def on_start(self):
            seen.append((self.cursor, self.current_item, self.executions, self.cancelled))

        def each_iteration(self, letter, name):
            seen.append((letter, name, self.cursor, self.current_item, self.arguments))

        def around_iteration(self):
            seen.append("<")
            yield
            seen.append(">")

    assert Letters.perform_inline("x") is True
    assert seen[0] == (None, None, 1, False)
    assert seen[1:4] == ["<", ("a", "x", 0, "a", ("x",)), ">"]
    assert len(seen) == 1 + 3 * 3


@pytest.mark.parametrize("wrap", [contextmanager, asynccontextmanager, None])
def test_around_of_either_kind_around_async_items(base, wrap):
    seen = []

    class Letters(base):
        async def each_iteration(self, letter):
            await asyncio.sleep(0)
            seen.append(letter)

        if wrap is contextmanager:

            @contextmanager
            def around_iteration(self):
                seen.append("<")
                yield
                seen.append(">")

        elif wrap is asynccontextmanager:

            @asynccontextmanager
            async def around_iteration(self):
                seen.append("<")
                yield
                seen.append(">")

        else:

            async def around_iteration(self):
                seen.append("<")
                yield
                seen.append(">")

    assert Letters.perform_inline() is True
    assert "".join(seen) == "<a><b><c>"


def test_a_sync_method_in_an_async_job_is_called_all_the_same(base):
    seen = []

    class Letters(base):
        def each_iteration(self, letter):
            seen.append(letter)

        async def around_iteration(self):
            yield

    assert asyncio.run(Letters.perform_inline.aio()) is True
    assert seen == ["a", "b", "c"]


def test_cancel_and_abort_from_inside(base):
    seen = []

    class Letters(base):
        def each_iteration(self, letter, how):
            seen.append(letter)
            if how == "cancel":
                self.cancel()
                assert self.cancelled
            else:
                self.abort()

        def on_cancel(self):
            seen.append("cancelled")

    Letters.perform_inline("cancel")
    Letters.perform_inline("abort")
    assert seen == ["a", "cancelled", "a"]


def test_outside_of_a_run_there_is_nothing_to_ask(base):
    class Letters(base):
        def each_iteration(self, letter): ...

    job = Letters()
    assert (job.arguments, job.cursor, job.current_item, job.executions, job.cancelled) == ((), None, None, 0, False)
    with pytest.raises(RuntimeError, match=r"From outside: pillion\.api"):
        job.cancel()


def test_the_testing_kit_runs_it_without_redis():
    from pillion import testing

    seen = []

    class Kit(IterableJob):
        def build_enumerator(self, *, cursor):
            return sequence(["a", "b"], cursor)

        def each_iteration(self, letter):
            seen.append((letter, self.progress(1, 2)))

    with testing.fake():
        Kit.perform_async()
        assert seen == []
        Kit.drain()
    assert seen == [("a", 50.0), ("b", 50.0)]
