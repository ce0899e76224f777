"""SilenceTransientErrors, and how errors are listed by name (F040, F100)."""

from __future__ import annotations

import asyncio

import pytest

from pillion.errors import ConfigError, Interrupted, RetryableError, Shutdown
from pillion.middleware import ServerChain, SilenceTransientErrors
from pillion.wire.error_names import ErrorNames
from pillion.wire.failure import is_shutdown


class Timeout(Exception): ...


class ConnectTimeout(Timeout): ...


class Client:
    class RateLimited(Exception): ...


def library_error(module, name):
    return type(name, (Exception,), {"__module__": module})("oops")


class TestNames:
    @pytest.mark.parametrize(
        "listed", [Timeout, "Timeout", f"{__name__}.Timeout", [Timeout, KeyError], ("ValueError", "Timeout")]
    )
    def test_a_class_or_a_name_lists_an_error_and_its_subclasses(self, listed):
        assert ErrorNames(listed).match(Timeout())
        assert ErrorNames(listed).match(ConnectTimeout())

    @pytest.mark.parametrize("listed", [(), "Timeou", "ConnectTimeout", "requests.Timeout", "shop.Timeout", KeyError])
    def test_others_are_not_listed(self, listed):
        assert not ErrorNames(listed).match(Timeout())

    def test_a_name_as_it_is_imported_means_the_class_behind_it(self):
        assert ErrorNames("requests.Timeout").match(library_error("requests.exceptions", "Timeout"))
        assert ErrorNames("requests.exceptions.Timeout").match(library_error("requests.exceptions", "Timeout"))
        assert not ErrorNames("requests.Timeout").match(library_error("requests_mock.errors", "Timeout"))

    def test_a_class_inside_a_class(self):
        for name in ("RateLimited", "Client.RateLimited", f"{__name__}.Client.RateLimited", f"{__name__}.RateLimited"):
            found = ErrorNames(name).match(Client.RateLimited())
            assert found == (name != "Client.RateLimited"), name

    def test_a_builtin_error_by_its_bare_name(self):
        assert ErrorNames("ConnectionError").match(ConnectionResetError())
        assert ErrorNames("builtins.OSError").match(ConnectionResetError())

    @pytest.mark.parametrize("entry", [5, object, "", ".", None, Timeout()])
    def test_anything_else_is_refused(self, entry):
        with pytest.raises(ConfigError, match="error classes or their names"):
            ErrorNames([entry])


class Job:
    transient_exceptions = (Timeout,)


class PlainJob: ...


def run(kind, middleware, error, job=None):
    chain = ServerChain()
    chain.add(middleware)

    def body():
        raise error

    async def async_body():
        raise error

    if kind == "sync":
        return chain.invoke(job or PlainJob(), {}, "default", body)
    return asyncio.run(chain.invoke_async(job or PlainJob(), {}, "default", async_body))


@pytest.mark.parametrize("kind", ["sync", "async"])
class TestSilence:
    def test_an_error_that_is_not_listed_passes(self, kind):
        with pytest.raises(KeyError):
            run(kind, SilenceTransientErrors(["requests.Timeout"]), KeyError("x"), Job())

    def test_a_listed_error_is_wrapped_and_keeps_its_message_and_cause(self, kind):
        error = library_error("requests.exceptions", "Timeout")
        with pytest.raises(RetryableError, match=r"^oops$") as caught:
            run(kind, SilenceTransientErrors(["requests.Timeout"]), error)
        assert (caught.value.__cause__, caught.value.original) == (error, error)

    def test_an_error_that_the_job_lists_is_wrapped(self, kind):
        with pytest.raises(RetryableError) as caught:
            run(kind, SilenceTransientErrors(), ConnectTimeout("slow"), Job())
        assert isinstance(caught.value.original, ConnectTimeout)

    def test_what_one_job_lists_is_not_listed_for_another(self, kind):
        middleware = SilenceTransientErrors()
        with pytest.raises(RetryableError):
            run(kind, middleware, Timeout(), Job())
        with pytest.raises(Timeout):
            run(kind, middleware, Timeout(), PlainJob())

    def test_what_is_wrapped_already_stays_as_it_is(self, kind):
        error = RetryableError(Timeout())
        with pytest.raises(RetryableError) as caught:
            run(kind, SilenceTransientErrors(["RetryableError", "Timeout"]), error)
        assert caught.value is error

    @pytest.mark.parametrize("error", [Interrupted(), Shutdown()])
    def test_a_stop_is_no_error(self, kind, error):
        with pytest.raises(type(error)):
            run(kind, SilenceTransientErrors([BaseException]), error)

    def test_a_shutdown_behind_a_wrapped_error_is_still_seen(self, kind):
        error = Timeout()
        error.__cause__ = Shutdown()
        with pytest.raises(RetryableError) as caught:
            run(kind, SilenceTransientErrors([Timeout]), error)
        assert is_shutdown(caught.value)


def test_it_can_be_added_as_a_class_with_its_list():
    chain = ServerChain()
    chain.add(SilenceTransientErrors, ["Timeout"])

    def body():
        raise Timeout

    with pytest.raises(RetryableError):
        chain.invoke(PlainJob(), {}, "default", body)
    assert SilenceTransientErrors in chain


def test_what_is_no_error_is_refused_when_it_is_made():
    with pytest.raises(ConfigError, match="SilenceTransientErrors"):
        SilenceTransientErrors([42])
