"""Defining jobs: classes and functions, names, options and their inheritance, hooks, the registry (behaviour 2)."""

import pytest
from own_home import OwnHome

from pillion.definition.registry import JobDefinition, Registry, default_wire_name
from pillion.errors import ConfigError, InvalidJob, UnknownJobClass
from pillion.jobs.base import BaseJob


@pytest.fixture
def home():
    return OwnHome()


def options(job):
    return job.__job__.own_options


# -- names and the registry ----------------------------------------------------------------------------


def test_a_job_is_called_by_its_module_and_qualified_name(home):
    class Refund(home.Job):
        def perform(self): ...

    @home.job
    def notify(): ...

    prefix = f"{__name__}.test_a_job_is_called_by_its_module_and_qualified_name.<locals>"
    assert home.jobs.names() == [f"{prefix}.Refund", f"{prefix}.notify"]


def test_wire_name_gives_the_name_of_a_ruby_fleet(home):
    class Refund(home.Job, wire_name="Stripe::RefundJob"):
        def perform(self): ...

    assert home.jobs.find("Stripe::RefundJob").factory is Refund
    Refund.perform_async()
    assert home.sent.pushed[0]["class"] == "Stripe::RefundJob"


@pytest.mark.parametrize("name", ["a|b", "a/b", "a$b", "a b", 5])
def test_a_name_that_a_dashboard_cannot_show_is_refused(home, name):
    with pytest.raises(ConfigError, match="wire_name"):

        class Refund(home.Job, wire_name=name):
            def perform(self): ...


def test_a_script_is_known_by_the_name_under_which_a_worker_imports_it(monkeypatch, tmp_path):
    class Job: ...

    Job.__module__, Job.__qualname__ = "__main__", "Job"
    monkeypatch.chdir(tmp_path)
    main = type("main", (), {"__spec__": None, "__file__": str(tmp_path / "shop" / "jobs.py")})
    monkeypatch.setitem(__import__("sys").modules, "__main__", main)
    assert default_wire_name(Job) == "shop.jobs.Job"
    main.__file__ = "/elsewhere/script.py"
    assert default_wire_name(Job) == "script.Job"
    main.__spec__ = type("spec", (), {"name": "shop.__main__"})
    assert default_wire_name(Job) == "shop.Job"


def test_an_unknown_name_is_explained_with_the_nearest_known_one(home):
    class Refund(home.Job, wire_name="billing.Refund"):
        def perform(self): ...

    with pytest.raises(
        UnknownJobClass, match=r"'billing.Refnd'.*Did you mean 'billing.Refund'.*EmbeddedWorker\(require="
    ):
        home.jobs.find("billing.Refnd")


@pytest.mark.parametrize("name", [None, 5, ["x"]])
def test_a_class_name_that_is_no_text_is_an_unknown_class(home, name):
    with pytest.raises(UnknownJobClass):
        home.jobs.find(name)


def test_two_different_jobs_cannot_have_one_name(home):
    class First(home.Job, wire_name="same"):
        def perform(self): ...

    with pytest.raises(ConfigError, match="is called so already"):

        class Second(home.Job, wire_name="same"):
            def perform(self): ...


def test_defining_the_same_class_again_replaces_it(home):
    def define():
        class Reloaded(home.Job):
            def perform(self): ...

        return Reloaded

    first, second = define(), define()
    assert first is not second
    assert home.jobs.find(second.__job__.wire_name).factory is second


# -- base classes --------------------------------------------------------------------------------------


def test_a_class_without_perform_is_a_base_that_is_not_registered(home):
    class ApplicationJob(home.Job, retry=5): ...

    assert home.jobs.names() == []
    assert ApplicationJob.__job__.is_abstract


def test_pushing_a_base_class_is_refused_and_says_what_to_do(home):
    class ApplicationJob(home.Job): ...

    for push in (
        ApplicationJob.perform_async,
        ApplicationJob.perform_inline,
        ApplicationJob.set(queue="x").perform_async,
    ):
        with pytest.raises(InvalidJob, match=r"with no perform of its own\. Define perform"):
            push(1)
    with pytest.raises(InvalidJob):
        home.jobs.register(ApplicationJob.__job__)


def test_abstract_makes_a_base_of_a_class_that_has_perform(home):
    class Template(home.Job, abstract=True):
        def perform(self, n):
            return self.step(n)

    class Concrete(Template):
        def step(self, n):
            return n

    assert home.jobs.names() == [Concrete.__job__.wire_name]
    with pytest.raises(InvalidJob):
        Template.perform_async(1)
    Concrete.perform_async(1)


def test_a_perform_that_cannot_be_called_is_refused(home):
    with pytest.raises(ConfigError, match="perform"):

        class Broken(home.Job):
            perform = 5


def test_a_constructor_with_required_parameters_is_refused(home):
    with pytest.raises(ConfigError, match="Each run makes a new instance"):

        class Needy(home.Job):
            def __init__(self, db): ...

            def perform(self): ...


def test_decorating_what_is_no_function_is_refused(home):
    with pytest.raises(ConfigError, match="a function or a coroutine function"):
        home.job(5)


# -- options and inheritance ---------------------------------------------------------------------------


def test_options_are_class_keywords_and_unknown_ones_are_kept(home):
    class Refund(home.Job, queue="high", retry=5, tags=["a"], unique_for=60):
        def perform(self): ...

    assert options(Refund) == {"queue": "high", "retry": 5, "tags": ["a"], "unique_for": 60}
    assert Refund.__job__.options == {"retry": 5, "queue": "high", "tags": ["a"], "unique_for": 60}


def test_without_options_a_job_has_sidekiqs_defaults(home):
    class Plain(home.Job):
        def perform(self): ...

    assert options(Plain) == {}
    assert Plain.__job__.options == {"retry": True, "queue": "default"}


def test_a_subclass_with_options_has_a_snapshot_of_its_base(home):
    class Base(home.Job, queue="low", retry=3): ...

    class Child(Base, retry=9):
        def perform(self): ...

    Base.configure(queue="changed", dead=False)
    assert options(Child) == {"queue": "low", "retry": 9}


def test_a_subclass_without_options_follows_its_base(home):
    class Base(home.Job, queue="low"): ...

    class Child(Base):
        def perform(self): ...

    class Grandchild(Child): ...

    Base.configure(queue="changed")
    assert options(Child) == options(Grandchild) == {"queue": "changed"}


def test_queue_as_sets_the_queue_afterwards(home):
    class Refund(home.Job, retry=2):
        def perform(self): ...

    Refund.queue_as("slow")
    assert options(Refund) == {"retry": 2, "queue": "slow"}


def test_with_several_bases_the_first_job_among_them_counts(home):
    class Mixin:
        helper = True

    class First(home.Job, queue="first"): ...

    class Second(home.Job, queue="second", retry=1): ...

    class Both(Mixin, First, Second):
        def perform(self): ...

    assert options(Both) == {"queue": "first"}


def test_a_job_pushed_through_its_base_options_reads_them_when_it_is_pushed(home):
    class Base(home.Job): ...

    class Child(Base):
        def perform(self): ...

    Child.perform_async()
    Base.configure(queue="later")
    Child.perform_async()
    assert [payload["queue"] for payload in home.sent.pushed] == ["default", "later"]


# -- hooks ---------------------------------------------------------------------------------------------


def test_a_job_without_hooks_has_none(home):
    class Plain(home.Job):
        def perform(self): ...

    assert Plain.__job__.retry_in is None
    assert Plain.__job__.on_exhausted is None


def test_hooks_of_a_class_are_static_class_or_plain_functions(home):
    class Static(home.Job):
        @staticmethod
        def retry_in(count, exc, payload):
            return count + 1

        @classmethod
        def on_retries_exhausted(cls, payload, exc):
            return cls.__name__

        def perform(self): ...

    class Plain(home.Job):
        def on_retries_exhausted(job, exc):
            return job["jid"]

        def perform(self): ...

    assert Static.__job__.retry_in(4, ValueError(), {}) == 5
    assert Static.__job__.on_exhausted({}, ValueError()) == "Static"
    assert Plain.__job__.on_exhausted({"jid": "j"}, ValueError()) == "j"


def test_hooks_are_inherited(home):
    class Base(home.Job):
        @staticmethod
        def retry_in(count, exc, payload):
            return 7

    class Child(Base):
        def perform(self): ...

    assert Child.__job__.retry_in(0, ValueError(), {}) == 7


def test_a_hook_with_self_is_refused_and_told_to_be_static(home):
    with pytest.raises(ConfigError, match="@staticmethod"):

        class Wrong(home.Job):
            def retry_in(self, count, exc, payload): ...

            def perform(self): ...


def test_hooks_of_a_function_are_keywords_or_decorators(home):
    @home.job(retry_in=lambda count, exc, payload: 3, on_retries_exhausted=lambda payload, exc: "given")
    def first(): ...

    @home.job
    def second(): ...

    @second.retry_in
    def wait(count, exc, payload):
        return 4

    @second.on_retries_exhausted
    def done(payload, exc):
        return "decorated"

    assert first.__job__.retry_in(0, ValueError(), {}) == 3
    assert first.__job__.on_exhausted({}, ValueError()) == "given"
    assert second.__job__.retry_in is wait
    assert second.__job__.on_exhausted is done


def test_a_hook_with_the_wrong_parameters_is_refused(home):
    with pytest.raises(ConfigError, match=r"\(payload, exc\)"):
        home.job(on_retries_exhausted=lambda: None)(lambda: None)


def test_transient_exceptions_are_known_for_classes_and_functions(home):
    class Charge(home.Job):
        transient_exceptions = (ConnectionError, "stripe.RateLimitError")

        def perform(self): ...

    @home.job(transient_exceptions=[ConnectionError])
    def charge(): ...

    assert Charge.__job__.transient_exceptions == (ConnectionError, "stripe.RateLimitError")
    assert Charge.__job__.new({}).transient_exceptions == (ConnectionError, "stripe.RateLimitError")
    assert charge.__job__.new({}).transient_exceptions == [ConnectionError]


# -- what the server uses ------------------------------------------------------------------------------


def test_async_jobs_are_known_as_such(home):
    class Sync(home.Job):
        def perform(self): ...

    class Async(home.Job):
        async def perform(self): ...

    @home.job
    async def function(): ...

    assert [job.__job__.is_async for job in (Sync, Async, function)] == [False, True, True]


def test_each_run_has_an_instance_of_its_own(home):
    class Counter(home.Job):
        count = 0

        def perform(self):
            self.count += 1
            return self.count

    definition = Counter.__job__
    assert [definition.new({"jid": "a"}).perform(), definition.new({"jid": "b"}).perform()] == [1, 1]


def test_a_decorated_function_can_still_be_called(home):
    @home.job(queue="images")
    def resize(path, width=1):
        """Make it smaller."""
        return (path, width)

    assert resize("a", width=2) == ("a", 2)
    assert resize.__doc__ == "Make it smaller."
    assert resize.__name__ == "resize"
    assert resize.__job__.new({}).perform("a") == ("a", 1)


def test_a_home_of_its_own_keeps_jobs_apart(home):
    other = OwnHome()

    class Mine(home.Job):
        def perform(self): ...

    class Theirs(BaseJob, home=other):
        def perform(self): ...

    assert home.jobs.names() != other.jobs.names()
    Theirs.perform_async()
    assert home.sent.trips == []
    assert len(other.sent.trips) == 1


def test_a_definition_made_by_hand_can_be_registered():
    registry = Registry()
    registry.register(JobDefinition("X", object))
    assert registry.find("X").wire_name == "X"


def test_a_generator_is_refused_for_its_body_would_never_run(home):
    with pytest.raises(ConfigError, match="without yield"):

        @home.job
        def stream(n: int):
            yield n
