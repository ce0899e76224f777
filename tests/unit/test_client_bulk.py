"""push_bulk and push_many: batches, times, vetoes (behaviour 1.4, with its [Q] marks done better)."""

import asyncio

import pytest
from own_home import NOW_MS, NOW_S, OwnHome

from pillion.errors import ComplexArgument, InvalidJob


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def client(home):
    return home.client()


def bulk(args, **keys):
    return {"class": "Hard", "args": args, **keys}


def one_each(count):
    return [[n] for n in range(count)]


def sizes(home):
    """How many payloads each round trip carried."""
    return [sum(isinstance(part, bytes) for command in trip for part in command) for trip in home.sent.trips]


def test_a_thousand_go_in_one_round_trip(home, client):
    jids = client.push_bulk(bulk(one_each(1001)))
    assert sizes(home) == [1000, 1]
    assert len(set(jids)) == 1001
    assert [payload["args"] for payload in home.sent.pushed] == one_each(1001)


def test_scheduled_jobs_go_a_hundred_at_a_time(home, client):
    client.push_bulk(bulk(one_each(250), at=60))
    assert sizes(home) == [100, 100, 50]


def test_batch_size_can_be_given(home, client):
    client.push_bulk(bulk(one_each(5), batch_size=2))
    client.push_bulk(bulk(one_each(3), at=60, batch_size=2))
    assert sizes(home) == [2, 2, 1, 2, 1]


def test_an_empty_list_answers_an_empty_list_without_a_round_trip(home, client):
    assert client.push_bulk(bulk([])) == []
    assert client.push_bulk(bulk(iter([]))) == []
    assert home.sent.trips == []


def test_all_payloads_share_created_at_and_each_batch_has_its_own_enqueued_at(home, client):
    def slow():
        for n in range(3):
            home.now_s += 1
            yield [n]

    client.push_bulk(bulk(slow(), batch_size=1))
    assert [p["created_at"] for p in home.sent.pushed] == [NOW_MS] * 3
    assert [p["enqueued_at"] - NOW_MS for p in home.sent.pushed] == [1000, 2000, 3000]


def test_keys_come_in_the_order_of_the_wire(home, client):
    client.push_bulk(bulk([[1]]))
    assert list(home.sent.pushed[0]) == ["retry", "queue", "class", "args", "jid", "created_at", "enqueued_at"]


def test_a_lazy_iterable_is_read_batch_by_batch(home, client):
    trips_when_read = []

    def lazy():
        for n in range(4):
            trips_when_read.append(len(home.sent.trips))
            yield [n]

    client.push_bulk(bulk(lazy(), batch_size=2))
    assert trips_when_read == [0, 0, 1, 1]


def test_an_error_midway_leaves_earlier_batches_pushed(home, client):
    with pytest.raises(ComplexArgument):
        client.push_bulk(bulk([[1], [2], [object()]], batch_size=2))
    assert sizes(home) == [2]


def test_payloads_are_grouped_by_queue_in_one_round_trip(home, client):
    def route(job_class, payload, queue, redis_pool, next_):
        payload["queue"] = "even" if payload["args"][0] % 2 == 0 else "odd"
        return next_()

    home.settings.client_middleware.add(route)
    client.push_bulk(bulk(one_each(4)))
    (trip,) = home.sent.trips
    assert trip[0] == ("SADD", "queues", "even", "odd")
    assert [(command[1], len(command) - 2) for command in trip[1:]] == [("queue:even", 2), ("queue:odd", 2)]
    assert [p["args"] for p in home.sent.pushed] == [[0], [2], [1], [3]]


def test_a_vetoed_job_leaves_none_at_its_place(home, client):
    home.settings.client_middleware.add(
        lambda job_class, payload, queue, redis_pool, next_: None if payload["args"] == [1] else next_()
    )
    jids = client.push_bulk(bulk(one_each(3)))
    assert [jid is None for jid in jids] == [False, True, False]
    assert [p["args"] for p in home.sent.pushed] == [[0], [2]]


def test_a_batch_that_is_vetoed_whole_makes_no_round_trip(home, client):
    home.settings.client_middleware.add(lambda job_class, payload, queue, redis_pool, next_: None)
    assert client.push_bulk(bulk(one_each(3))) == [None, None, None]
    assert home.sent.trips == []


# -- times -------------------------------------------------------------------------------------------------


def scores(home):
    return [at - NOW_S for at, _ in home.sent.scheduled]


def test_a_relative_time_counts_from_now_as_in_perform_in(home, client):
    """Sidekiq writes the score 60, which is due since 1970."""
    client.push_bulk(bulk(one_each(2), at=60))
    assert scores(home) == [60, 60]


def test_a_list_of_times_goes_with_its_jobs_across_batches(home, client):
    client.push_bulk(bulk(one_each(5), at=[10, 20, 30, 40, 50], batch_size=2))
    assert [(at - NOW_S, p["args"]) for at, p in home.sent.scheduled] == [
        (10, [0]),
        (20, [1]),
        (30, [2]),
        (40, [3]),
        (50, [4]),
    ]


def test_jobs_whose_time_has_come_are_pushed_at_once_beside_the_scheduled_ones(home, client):
    client.push_bulk(bulk(one_each(3), at=[-1, 60, 0]))
    assert scores(home) == [60]
    assert [p["args"] for p in home.sent.pushed if "enqueued_at" in p] == [[0], [2]]


@pytest.mark.parametrize(("width", "rand", "offset"), [(100, 0.5, 50), (100, 0.0, 0), (2, 0.5, 2.5)])
def test_spread_interval_gives_each_job_a_random_time_of_at_least_five_seconds_width(home, client, width, rand, offset):
    home.rand_value = rand
    client.push_bulk(bulk(one_each(2), spread_interval=width))
    assert scores(home) == [offset, offset]


def test_spread_interval_works_with_a_lazy_iterable(home, client):
    client.push_bulk(bulk(iter(one_each(3)), spread_interval=10))
    assert len(scores(home)) == 3


def test_a_list_of_times_works_with_a_lazy_iterable(home, client):
    client.push_bulk(bulk(iter(one_each(2)), at=[10, 20]))
    assert scores(home) == [10, 20]


def test_jobs_due_soon_wake_the_scheduler_once_for_each_batch(home, client):
    client.push_bulk(bulk(one_each(4), at=[1, 60, 60, 60], batch_size=2))
    assert [command[:2] for command in home.sent.commands if command[0] == "LPUSH"] == [("LPUSH", "pl:scheduler:wake")]


# -- jid -----------------------------------------------------------------------------------------------------


def test_a_jid_for_a_single_job_is_kept(home, client):
    assert client.push_bulk(bulk([[1]], jid="mine")) == ["mine"]
    assert home.sent.pushed[0]["jid"] == "mine"


# -- refusing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (None, "item"),
        ({"args": [[1]]}, "item"),
        ({"class": "Hard"}, "item"),
        (bulk(5), "args"),
        (bulk("ab"), "args"),
        (bulk({"a": 1}), "args"),
        (bulk([1, 2]), "args"),
        (bulk([[1], "x"]), "args"),
        (bulk([[1]], at="soon"), "at"),
        (bulk([[1]], at=[]), "at"),
        (bulk([[1]], at=[1, 2]), "at"),
        (bulk([[1]], at=["soon"]), "at"),
        (bulk([[1], [2]], jid="one"), "jid"),
        (bulk(iter([[1], [2]]), jid="one"), "jid"),
        (bulk([[1]], spread_interval=0), "spread_interval"),
        (bulk([[1]], spread_interval="5"), "spread_interval"),
        (bulk([[1]], spread_interval=True), "spread_interval"),
        (bulk([[1]], spread_interval=5, at=5), "at"),
        (bulk([[1]], batch_size=0), "batch_size"),
        (bulk([[1]], batch_size="10"), "batch_size"),
        (bulk([[1]], queue=""), "queue"),
    ],
)
def test_a_wrong_bulk_push_is_refused_by_field_and_nothing_is_written(home, client, item, field):
    with pytest.raises(InvalidJob) as error:
        client.push_bulk(item)
    assert error.value.field == field
    assert home.sent.trips == []


def test_tuples_of_arguments_are_fine(home, client):
    client.push_bulk(bulk([(1, 2), (3, 4)]))
    assert [p["args"] for p in home.sent.pushed] == [[1, 2], [3, 4]]


def test_the_callers_map_is_left_alone(client):
    item = bulk([[1]], at=60, batch_size=5, queue="q")
    before = dict(item)
    client.push_bulk(item)
    assert item == before


# -- push_many -------------------------------------------------------------------------------------------------


@pytest.fixture
def three(home):
    return [home.job(queue=name, wire_name=name)(lambda order_id: None) for name in ("stock", "payment", "mail")]


def test_push_many_pushes_jobs_of_different_classes_to_their_own_queues(home, client, three):
    jids = client.push_many([(job, [7]) for job in three])
    assert jids == ["j1", "j2", "j3"]
    (trip,) = home.sent.trips
    assert trip[0] == ("SADD", "queues", "stock", "payment", "mail")
    assert [(p["class"], p["queue"], p["args"]) for p in home.sent.pushed] == [
        ("stock", "stock", [7]),
        ("payment", "payment", [7]),
        ("mail", "mail", [7]),
    ]


def test_push_many_takes_parallel_lists_names_and_maps(home, client, three):
    client.push_many(three, [[1], [2], [3]])
    client.push_many([("Ruby::Job", [4]), {"class": "Hard", "args": [5], "queue": "low"}])
    assert [p["args"] for p in home.sent.pushed] == [[1], [2], [3], [4], [5]]
    assert home.sent.pushed[-1]["queue"] == "low"


def test_push_many_refuses_lists_of_different_lengths(home, client, three):
    with pytest.raises(InvalidJob, match="3 jobs but 2 lists of arguments"):
        client.push_many(three, [[1], [2]])
    assert home.sent.trips == []


@pytest.mark.parametrize("job", ["Hard", ("Hard",), 5, ("Hard", [1], {})])
def test_push_many_refuses_what_is_no_pair(home, client, job):
    with pytest.raises(InvalidJob, match="pairs"):
        client.push_many([job])


def test_push_many_goes_in_batches(home, client):
    client.push_many([("Hard", [n]) for n in range(5)], batch_size=2)
    assert sizes(home) == [2, 2, 1]


def test_the_async_client_pushes_the_same_batches(home):
    async def push():
        client = home.async_client()
        assert len(await client.push_bulk(bulk(one_each(3), batch_size=2))) == 3
        assert len(await client.push_many([("Hard", [1]), ("Soft", [2])])) == 2

    asyncio.run(push())
    assert [len(trip) for trip in home.sent_async.trips] == [2, 2, 2]


# -- with and without anything that looks at each job ----------------------------------------------------


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"at": [10, NOW_S - 5, NOW_S + 20]},
        {"queue": "low", "tags": ["a"], "backtrace": 5},
        {"retry_for": 60, "enqueued_at": 7, "created_at": 5},
        {"class": "Sidekiq::ActiveJob::Wrapper", "wrapped": "Mail"},
        {"batch_size": 2},
    ],
    ids=repr,
)
def test_a_bulk_push_writes_the_same_with_middleware_that_does_nothing(extra):
    plain, watched = OwnHome(), OwnHome()
    watched.config().client_middleware.add(lambda job, payload, queue, pool, next_: next_())
    item = {"class": "Hard", "args": [[1, "ü"], [], [{"k": [1.5, None]}]], **extra}
    assert plain.client().push_bulk(item) == watched.client().push_bulk(item) == ["j1", "j2", "j3"]
    assert plain.sent.trips == watched.sent.trips


def test_an_error_in_a_bulk_push_of_wrapped_jobs_names_the_wrapped_one(client):
    with pytest.raises(ComplexArgument, match=r"^Inner: "):
        client.push_bulk(bulk([[1], [(2,)]], wrapped="Inner"))
