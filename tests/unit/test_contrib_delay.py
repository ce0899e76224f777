"""`delay(User).sync_images(3)`: functions that were enabled are jobs by their dotted name (F014)."""

import asyncio
import sys
from types import ModuleType

import pytest
from own_home import OwnHome

from pillion.contrib.delay import Delay
from pillion.errors import ComplexArgument, ConfigError, JobArgumentError, UnknownJobClass

ran = []


class User:
    def __init__(self, number):
        self.number = number

    def greet(self):
        """Needs an instance."""

    @classmethod
    def sync_images(cls, user_id, size="small"):
        ran.append((cls, user_id, size))

    @staticmethod
    async def welcome(user_id):
        ran.append(user_id)

    @classmethod
    def _secret(cls):
        """Not public."""


class Admin(User):
    pass


@pytest.fixture
def home():
    ran.clear()
    return OwnHome()


@pytest.fixture
def delay(home):
    made = Delay(home.job)
    made.enable(User)
    return made


@pytest.fixture
def billing(monkeypatch):
    """A module with one function of its own and one that it imported."""
    module = ModuleType("shop_billing")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec("from os.path import join\ndef close_month(number): ...\ndef _inner(): ...\n", module.__dict__)
    return module


def run(home, payload):
    """Run a payload as a worker would."""
    return home.jobs.find(payload["class"]).new(payload).perform(*payload["args"])


def test_a_class_method_is_pushed_by_its_dotted_name(home, delay):
    jid = delay(User).sync_images(3, size="big")
    (payload,) = home.sent.pushed
    assert (payload["jid"], payload["class"], payload["args"]) == (jid, f"{__name__}.User.sync_images", [3, "big"])


def test_a_worker_runs_it_on_its_class(home, delay):
    delay(User).sync_images(3)
    run(home, home.sent.pushed[0])
    assert ran == [(User, 3, "small")]


def test_an_async_static_method_works_too(home, delay):
    delay(User).welcome(7)
    asyncio.run(run(home, home.sent.pushed[0]))
    assert ran == [7]


def test_it_can_be_awaited(home, delay):
    assert asyncio.run(delay(User).sync_images.aio(3))
    assert home.sent_async.pushed[0]["args"] == [3]


def test_an_inherited_method_runs_on_the_subclass(home, delay):
    delay.enable(Admin)
    delay(Admin).sync_images(1)
    run(home, home.sent.pushed[0])
    assert ran == [(Admin, 1, "small")]


def test_options_of_enable_and_of_the_call(home):
    delay = Delay(home.job)
    delay.enable(User, queue="low", retry=2)
    delay(User, retry=0).sync_images(1)
    assert (home.sent.pushed[0]["queue"], home.sent.pushed[0]["retry"]) == ("low", 0)


def test_wait_pushes_for_later(home, delay):
    delay(User, wait=60).sync_images(1)
    assert home.sent.scheduled[0][0] == home.now_s + 60


def test_of_a_module_only_its_own_public_functions_are_enabled(home, delay, billing):
    delay.enable(billing)
    delay(billing).close_month(5)
    assert home.sent.pushed[0]["class"] == "shop_billing.close_month"
    assert [name for name in home.jobs.names() if "shop_billing" in name] == ["shop_billing.close_month"]


@pytest.mark.parametrize("name", ["User._secret", "User.greet", "User.__init__", "ran.append"])
def test_what_was_not_enabled_is_not_found_whatever_a_payload_says(home, delay, name):
    with pytest.raises(UnknownJobClass):
        home.jobs.find(f"{__name__}.{name}")


def test_a_target_that_was_not_enabled_is_refused(delay):
    with pytest.raises(ConfigError, match=r"Call delay\.enable\(Admin\)"):
        delay(Admin)


def test_an_instance_is_refused_with_pass_the_id(delay):
    with pytest.raises(ComplexArgument, match=r"instance of User.*pass the id"):
        delay(User(3))


def test_an_instance_method_is_refused_with_pass_the_id(delay):
    with pytest.raises(AttributeError, match="pass the id"):
        delay(User).greet


def test_an_unknown_name_lists_what_there_is(delay):
    with pytest.raises(AttributeError, match="It has: sync_images, welcome"):
        delay(User).sync_image(3)


def test_an_object_as_an_argument_is_refused(home, delay):
    with pytest.raises(ComplexArgument):
        delay(User).sync_images(User(3))
    assert home.sent.trips == []


def test_arguments_must_fit(delay):
    with pytest.raises(JobArgumentError):
        delay(User).sync_images()


def test_a_job_is_no_target(home, delay):
    class Real(home.Job):
        def perform(self): ...

    with pytest.raises(ConfigError, match="perform_async"):
        delay.enable(Real)


@pytest.mark.parametrize("target", [print, lambda: None])
def test_a_bare_function_is_no_target(delay, target):
    with pytest.raises(ConfigError, match="@job"):
        delay(target)


def test_enabling_again_changes_nothing(home, delay):
    names = home.jobs.names()
    delay.enable(User)
    assert home.jobs.names() == names
