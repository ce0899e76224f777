"""The server chain around sync and async jobs: every form of middleware around every kind of job.

`Rig` runs a body inside a chain, the sync or the async way, so that one test states a rule for both.
"""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar

import pytest

from pillion.middleware import ServerChain

VAR = ContextVar("VAR", default="unset")


class Rig:
    """`log` collects what happened; `run` runs the chain around a body that logs "job"."""

    def __init__(self, kind):
        self.kind = kind
        self.log = []
        self.chain = ServerChain()

    def run(self, error=None):
        def body():
            self.log.append("job")
            if error is not None:
                raise error
            return "result"

        async def async_body():
            await asyncio.sleep(0)
            return body()

        if self.kind == "sync":
            return self.chain.invoke("the job", {"jid": "1"}, "default", body)
        return asyncio.run(self.chain.invoke_async("the job", {"jid": "1"}, "default", async_body))

    # One middleware in each form. All log "NAME in" and "NAME out", or "NAME error" for an exception.

    def call(self, name):
        def middleware(job, payload, queue, next_):
            self.log.append(f"{name} in")
            try:
                result = next_()
            except BaseException:
                self.log.append(f"{name} error")
                raise
            self.log.append(f"{name} out")
            return result

        return middleware

    def coroutine(self, name):
        async def middleware(job, payload, queue, next_):
            self.log.append(f"{name} in")
            await asyncio.sleep(0)
            try:
                result = await next_()
            except BaseException:
                self.log.append(f"{name} error")
                raise
            await asyncio.sleep(0)
            self.log.append(f"{name} out")
            return result

        return middleware

    def generator(self, name):
        def middleware(job, payload, queue):
            self.log.append(f"{name} in")
            try:
                yield
            except BaseException:
                self.log.append(f"{name} error")
                raise
            self.log.append(f"{name} out")

        return middleware

    def async_generator(self, name):
        async def middleware(job, payload, queue):
            self.log.append(f"{name} in")
            await asyncio.sleep(0)
            try:
                yield
            except BaseException:
                self.log.append(f"{name} error")
                raise
            self.log.append(f"{name} out")

        return middleware


FORMS = ["call", "coroutine", "generator", "async_generator"]


@pytest.fixture(params=["sync", "async"])
def rig(request):
    return Rig(request.param)


@pytest.mark.parametrize("inner", FORMS)
@pytest.mark.parametrize("outer", FORMS)
def test_any_form_fits_around_any_other_and_around_any_job(rig, outer, inner):
    rig.chain.add(getattr(rig, outer)("outer"))
    rig.chain.add(getattr(rig, inner)("inner"))
    assert rig.run() == "result"
    assert rig.log == ["outer in", "inner in", "job", "inner out", "outer out"]


@pytest.mark.parametrize("form", FORMS)
def test_an_error_of_the_job_passes_through_and_comes_out(rig, form):
    rig.chain.add(getattr(rig, form)("mw"))
    with pytest.raises(LookupError, match="gone"):
        rig.run(LookupError("gone"))
    assert rig.log == ["mw in", "job", "mw error"]


@pytest.mark.parametrize("form", ["generator", "call"])
def test_even_a_stray_stop_iteration_comes_out_of_a_sync_job_as_it_is(form):
    rig = Rig("sync")
    rig.chain.add(getattr(rig, form)("mw"))
    with pytest.raises(StopIteration):
        rig.run(StopIteration())


def swallow_call(job, payload, queue, next_):
    try:
        return next_()
    except LookupError:
        return None


def swallow_generator(job, payload, queue):
    with suppress(LookupError):
        yield


async def swallow_async_generator(job, payload, queue):
    with suppress(LookupError):
        yield


@pytest.mark.parametrize("swallow", [swallow_call, swallow_generator, swallow_async_generator])
def test_middleware_may_swallow_an_error(rig, swallow):
    rig.chain.add(swallow)
    assert rig.run(LookupError()) is None
    assert rig.log == ["job"]


def skip_call(job, payload, queue, next_):
    return None


async def skip_coroutine(job, payload, queue, next_):
    return None


def skip_generator(job, payload, queue):
    return
    yield


async def skip_async_generator(job, payload, queue):
    return
    yield


@pytest.mark.parametrize("skip", [skip_call, skip_coroutine, skip_generator, skip_async_generator])
def test_middleware_may_skip_the_job(rig, skip):
    rig.chain.add(skip)
    assert rig.run() is None
    assert rig.log == []


def twice_generator(job, payload, queue):
    yield
    yield


async def twice_async_generator(job, payload, queue):
    yield
    yield


@pytest.mark.parametrize("twice", [twice_generator, twice_async_generator])
def test_yielding_twice_is_refused(rig, twice):
    rig.chain.add(twice)
    with pytest.raises(RuntimeError, match="must yield exactly once"):
        rig.run()


def test_context_managers_made_with_contextlib_work(rig):
    @rig.chain.add
    @contextmanager
    def sync_one(job, payload, queue):
        rig.log.append("sync in")
        yield
        rig.log.append("sync out")

    @rig.chain.add
    @asynccontextmanager
    async def async_one(job, payload, queue):
        rig.log.append("async in")
        yield
        rig.log.append("async out")

    rig.run()
    assert rig.log == ["sync in", "async in", "job", "async out", "sync out"]


def test_middleware_is_told_the_job_the_payload_and_the_queue(rig):
    @rig.chain.add
    def spy(job, payload, queue):
        rig.log.append((job, payload, queue))
        yield

    rig.run()
    assert rig.log[0] == ("the job", {"jid": "1"}, "default")


def test_a_class_is_made_anew_for_each_run(rig):
    made = []

    @rig.chain.add
    class Mine:
        def __init__(self):
            made.append(self)

        def __call__(self, job, payload, queue):
            rig.log.append("in")
            yield

    rig.run()
    rig.run()
    assert len({id(one) for one in made}) == 2
    assert rig.log == ["in", "job", "in", "job"]


def test_a_class_whose_call_is_a_coroutine_works(rig):
    @rig.chain.add
    class Mine:
        async def __call__(self, job, payload, queue, next_):
            rig.log.append("in")
            return await next_()

    assert rig.run() == "result"
    assert rig.log == ["in", "job"]


@pytest.mark.parametrize("form", FORMS)
def test_the_job_sees_context_variables_that_middleware_set(rig, form):
    """With each form in turn, innermost sets and the body reads."""
    seen = []

    def setting(job, payload, queue, next_):
        VAR.set(form)
        return next_()

    async def setting_async(job, payload, queue, next_):
        VAR.set(form)
        return await next_()

    def setting_generator(job, payload, queue):
        VAR.set(form)
        yield

    async def setting_async_generator(job, payload, queue):
        VAR.set(form)
        yield

    chosen = dict(zip(FORMS, [setting, setting_async, setting_generator, setting_async_generator], strict=True))
    rig.chain.add(chosen[form])

    def body():
        seen.append(VAR.get())

    async def async_body():
        seen.append(VAR.get())

    if rig.kind == "sync":
        token = VAR.set("unset")
        rig.chain.invoke(None, {}, "q", body)
        VAR.reset(token)
    else:
        asyncio.run(rig.chain.invoke_async(None, {}, "q", async_body))
    assert seen == [form]


def test_a_sync_job_inside_async_middleware_sees_no_running_loop_and_keeps_its_thread():
    rig = Rig("sync")
    rig.chain.add(rig.coroutine("mw"))
    seen = []

    def body():
        seen.append(threading.current_thread())
        return asyncio.run(asyncio.sleep(0, "own loop"))

    assert rig.chain.invoke(None, {}, "q", body) == "own loop"
    assert seen == [threading.current_thread()]


def test_a_sync_callable_around_an_async_job_does_not_block_the_loop():
    """While the middleware waits in next_(), other tasks of the loop go on: the job needs one to finish."""
    chain = ServerChain()
    chain.add(swallow_call)

    async def main():
        opened = asyncio.Event()

        async def body():
            await opened.wait()
            return "done"

        async def opener():
            opened.set()

        job = asyncio.create_task(chain.invoke_async(None, {}, "q", body))
        await asyncio.create_task(opener())
        return await job

    assert asyncio.run(main()) == "done"


def test_many_sync_callables_around_many_async_jobs_do_not_deadlock():
    """With pooled threads the outer middleware of all jobs would take every thread the inner ones need."""
    chain = ServerChain()
    passed = []

    def layer(number):
        def middleware(job, payload, queue, next_):
            passed.append(number)
            return next_()

        return middleware

    for number in range(3):
        chain.add(layer(number))

    async def main():
        async def body():
            await asyncio.sleep(0)
            return 1

        return await asyncio.gather(*(chain.invoke_async(None, {}, "q", body) for _ in range(40)))

    assert sum(asyncio.run(main())) == 40
    assert len(passed) == 120


def test_cancelling_an_async_job_reaches_it_through_a_sync_callable():
    chain = ServerChain()
    log = []

    @chain.add
    def mw(job, payload, queue, next_):
        try:
            return next_()
        except BaseException as error:
            log.append(type(error).__name__)
            raise

    async def main():
        started = asyncio.Event()

        async def body():
            try:
                started.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                log.append("job cancelled")
                raise

        task = asyncio.create_task(chain.invoke_async(None, {}, "q", body))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log == ["job cancelled", "CancelledError"]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_stop_iteration_that_escapes_is_an_error_like_any_other_and_holds_nothing_up(kind):
    """A forgotten default of `next`. asyncio takes no StopIteration as the result of a future, or no more."""
    rig = Rig(kind)

    def careless(job, payload, queue, next_):
        next_()
        return next(iter([]))

    async def passes_it_on(job, payload, queue, next_):
        return await next_()

    rig.chain.add(passes_it_on)
    rig.chain.add(careless)
    done, errors = threading.Event(), []

    def run():
        try:
            rig.run()
        except BaseException as exc:
            errors.append(exc)
        done.set()

    threading.Thread(target=run, daemon=True).start()
    assert done.wait(20)
    assert "StopIteration" in str(errors[0])
    assert rig.log == ["job"]
