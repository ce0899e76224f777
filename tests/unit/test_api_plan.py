"""Plans and calls: written once, carried out by threads and by event loops alike. The storage here is in memory."""

import asyncio
from collections.abc import Iterator

import pytest

from pillion.api import plan as plans
from pillion.api.call import Cost, call, owner_call, stream_call
from pillion.api.plan import Item, Pipeline, Plan, Stream, ask, ask_all
from pillion.errors import RedisRefused, RedisUnavailable
from pillion.storage.ops.base import command


class Memory:
    """A storage that answers each op with its own words, and notes how it was asked."""

    def __init__(self, fail: str = "") -> None:
        self.seen: list[tuple[str, ...]] = []
        self.fail = fail

    def _answer(self, op):
        if self.fail and op.args[0] == self.fail:
            raise RedisUnavailable("gone")
        return " ".join(str(arg) for arg in op.args)

    def run(self, op):
        self.seen.append(("run", *op.args))
        return self._answer(op)

    def run_all(self, ops):
        self.seen.append(("run_all", *(op.args[0] for op in ops)))
        return [self._answer(op) for op in ops]

    def transaction(self, ops):
        self.seen.append(("transaction", *(op.args[0] for op in ops)))
        return [self._answer(op) for op in ops]


class AsyncMemory(Memory):
    """The same, to be awaited."""

    async def run(self, op):
        await asyncio.sleep(0)
        return super().run(op)

    async def run_all(self, ops):
        await asyncio.sleep(0)
        return super().run_all(ops)

    async def transaction(self, ops):
        await asyncio.sleep(0)
        return super().transaction(ops)


class Fleet:
    """What a call needs of a fleet."""

    def __init__(self, fail: str = "") -> None:
        self.storage, self.async_storage = Memory(fail), AsyncMemory(fail)


def blocking(make, fail: str = ""):
    storage = Memory(fail)
    return plans.run(make(), storage), storage.seen


def awaited(make, fail: str = ""):
    storage = AsyncMemory(fail)
    return asyncio.run(plans.run_aio(make(), storage)), storage.seen


both = pytest.mark.parametrize("drive", [blocking, awaited])


# -- plans -----------------------------------------------------------------------------------------


def three_ways() -> Plan[list[str]]:
    one = yield from ask(command("A", 1))
    two, three = yield from ask_all([command("B"), command("C")])
    four = yield from ask_all([command("D")], atomic=True)
    return [one, two, three, *four]


@both
def test_a_plan_gets_the_answer_to_each_thing_it_asks(drive):
    result, seen = drive(three_ways)
    assert result == ["A 1", "B", "C", "D"]
    assert seen == [("run", "A", 1), ("run_all", "B", "C"), ("transaction", "D")]


@both
def test_a_plan_without_questions_asks_nothing(drive):
    def plan() -> Plan[list[str]]:
        return (yield from ask_all([]))

    assert drive(plan) == ([], [])


@both
def test_a_plan_can_be_a_part_of_another(drive):
    def outer() -> Plan[list[str]]:
        return [*(yield from three_ways()), (yield from ask(command("E")))]

    assert drive(outer)[0] == ["A 1", "B", "C", "D", "E"]


@both
def test_an_error_of_redis_comes_out_of_a_plan_that_does_not_mind_it(drive):
    with pytest.raises(RedisUnavailable, match="gone"):
        drive(three_ways, fail="C")


@both
def test_an_error_of_redis_is_raised_where_the_plan_asked_and_can_be_met_there(drive):
    def careful() -> Plan[str]:
        try:
            answer = yield from ask(command("A"))
        except RedisUnavailable:
            answer = yield from ask(command("B"))
        return answer

    assert drive(careful, fail="A") == ("B", [("run", "A"), ("run", "B")])


@both
def test_an_error_in_a_pipeline_is_raised_in_the_plan_too(drive):
    def careful() -> Plan[str]:
        try:
            yield Pipeline([command("A"), command("B")], atomic=True)
        except RedisUnavailable as error:
            return str(error)
        return "nothing happened"

    assert drive(careful, fail="B")[0] == "gone"


@both
def test_a_plan_can_make_its_own_error_of_that_of_redis(drive):
    def explaining() -> Plan[str]:
        try:
            return (yield from ask(command("A")))
        except RedisUnavailable as error:
            raise RedisRefused("explained") from error

    with pytest.raises(RedisRefused, match="explained") as raised:
        drive(explaining, fail="A")
    assert isinstance(raised.value.__cause__, RedisUnavailable)


@both
def test_an_error_of_the_plan_itself_comes_out(drive):
    def wrong() -> Plan[str]:
        yield from ask(command("A"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(wrong)


def test_what_stops_the_process_is_not_given_to_the_plan():
    met = []

    class Stopped(Memory):
        def run(self, op):
            raise KeyboardInterrupt

    def plan() -> Plan[str]:
        try:
            return (yield from ask(command("A")))
        except Exception as error:
            met.append(error)
            return "met"

    with pytest.raises(KeyboardInterrupt):
        plans.run(plan(), Stopped())
    assert met == []


def test_a_plan_of_a_cancelled_task_ends_with_it():
    ended = []

    class Hanging(AsyncMemory):
        async def run(self, op):
            await asyncio.Event().wait()

    def plan() -> Plan[str]:
        try:
            return (yield from ask(command("A")))
        finally:
            ended.append(True)

    async def cancel() -> None:
        task = asyncio.create_task(plans.run_aio(plan(), Hanging()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert ended == [True]


# -- streams ---------------------------------------------------------------------------------------


class Numbers:
    """Two pages of two numbers, and whether the stream was closed."""

    def __init__(self) -> None:
        self.closed = False

    def plan(self) -> Stream[int]:
        try:
            for page in range(2):
                yield from ask(command("PAGE", page))
                yield Item(2 * page)
                yield Item(2 * page + 1)
        finally:
            self.closed = True


def taken(stream: Stream[int], count: int, fail: str = "") -> tuple[list[int], list[tuple[str, ...]]]:
    storage = Memory(fail)
    items = plans.stream(stream, storage)
    found = [item for item, _ in zip(items, range(count), strict=False)]
    items.close()
    return found, storage.seen


def taken_aio(stream: Stream[int], count: int, fail: str = "") -> tuple[list[int], list[tuple[str, ...]]]:
    storage = AsyncMemory(fail)

    async def take() -> list[int]:
        items, found = plans.stream_aio(stream, storage), []
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
        await items.aclose()
        return found

    return asyncio.run(take()), storage.seen


both_streams = pytest.mark.parametrize("take", [taken, taken_aio])


@both_streams
def test_a_stream_gives_its_items_in_order(take):
    numbers = Numbers()
    assert take(numbers.plan(), 9) == ([0, 1, 2, 3], [("run", "PAGE", 0), ("run", "PAGE", 1)])
    assert numbers.closed


@both_streams
def test_a_stream_asks_only_for_what_is_taken(take):
    _, seen = take(Numbers().plan(), 1)
    assert seen == [("run", "PAGE", 0)]


@both_streams
def test_a_stream_that_is_left_early_is_closed(take):
    numbers = Numbers()
    take(numbers.plan(), 1)
    assert numbers.closed


@both_streams
def test_an_error_of_redis_comes_out_of_a_stream_and_closes_it(take):
    numbers = Numbers()
    with pytest.raises(RedisUnavailable):
        take(numbers.plan(), 9, fail="PAGE")
    assert numbers.closed


@both_streams
def test_a_stream_can_meet_an_error_of_redis(take):
    def careful() -> Stream[int]:
        try:
            yield from ask(command("PAGE"))
        except RedisUnavailable:
            yield Item(7)

    assert take(careful(), 9, fail="PAGE")[0] == [7]


def test_an_error_in_the_loop_over_a_stream_closes_it():
    numbers = Numbers()

    def loop() -> None:
        for _ in plans.stream(numbers.plan(), Memory()):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert numbers.closed


# -- calls -----------------------------------------------------------------------------------------


def _all(fleet: Fleet, prefix: str = "") -> Plan[str]:
    """Every shop."""
    return (yield from ask(command("ALL", prefix)))


class Shop:
    """An object with calls."""

    all = owner_call("ALL", cost="O(S), S = shops")(_all)

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name, self.fleet = name, fleet

    @call("GET", cost="O(1)")
    def read(self, key: str, *, twice: bool = False) -> Plan[str]:
        """Read a key."""
        answer = yield from ask(command("GET", self.name, key))
        return answer * 2 if twice else answer

    @call("GET", cost="O(1)", trips="2")
    def both(self) -> Plan[list[str]]:
        """Read two keys."""
        return [(yield from self.read.plan("a")), (yield from self.read.plan("b"))]

    @stream_call("PAGE", cost="O(N), N = items", trips="one for every page")
    def each(self, count: int = 2) -> Stream[str]:
        """Its items."""
        for page in range(count):
            yield Item((yield from ask(command("PAGE", page))))

    def __iter__(self) -> Iterator[str]:
        return self.each()


@pytest.fixture
def shop():
    return Shop("s", Fleet())


async def collected(items) -> list[str]:
    return [item async for item in items]


def test_a_call_is_a_function_for_threads_and_its_twin_is_awaited(shop):
    assert shop.read("a", twice=True) == asyncio.run(shop.read.aio("a", twice=True)) == "GET s aGET s a"
    assert shop.fleet.storage.seen == shop.fleet.async_storage.seen == [("run", "GET", "s", "a")]


def test_a_call_can_use_another(shop):
    assert shop.both() == asyncio.run(shop.both.aio()) == ["GET s a", "GET s b"]


def test_a_stream_is_iterated_over_in_both_worlds(shop):
    assert list(shop.each(1)) == asyncio.run(collected(shop.each.aio(1))) == ["PAGE 0"]
    assert list(shop) == ["PAGE 0", "PAGE 1"]
    assert list(shop.each.plan(0)) == []


def test_a_call_on_a_class_takes_the_fleet_first():
    fleet = Fleet()
    assert Shop.all(fleet, "x") == asyncio.run(Shop.all.aio(fleet, "x")) == "ALL x"
    assert Shop("s", fleet).all(fleet) == "ALL "


def test_a_call_asks_nothing_before_it_is_called(shop):
    _ = shop.read
    shop.each()
    assert shop.fleet.storage.seen == []


def test_every_call_says_what_it_costs(shop):
    assert shop.read.explain() == Shop.read.explain() == "GET; O(1); 1 round trip"
    assert shop.both.explain() == "GET; O(1); round trips: 2"
    assert shop.each.explain() == "PAGE; O(N), N = items; round trips: one for every page"
    assert Shop.all.explain() == "ALL; O(S), S = shops; 1 round trip"
    assert Shop.read.cost == Cost(("GET",), "O(1)", "1")


def test_a_calls_docstring_has_its_cost(shop):
    assert shop.read.__doc__ == "Read a key.\n\nRedis: GET; O(1); 1 round trip."
    assert shop.each.__doc__.startswith("Its items.\n\nRedis: PAGE; ")
    assert Shop.all.__doc__.startswith("Every shop.\n\nRedis: ALL; ")


def test_a_call_knows_its_name():
    assert (Shop.read.__name__, Shop.read.__qualname__) == ("read", "Shop.read")


def test_calls_with_wrong_arguments_ask_nothing(shop):
    with pytest.raises(TypeError):
        shop.read()
    with pytest.raises(TypeError):
        shop.read("a", nonsense=1)
    assert shop.fleet.storage.seen == []
