"""Client.push: completing, checking and refusing a job (behaviour 1.2, 1.3, 1.6)."""

import asyncio
from decimal import Decimal

import pytest
from own_home import NOW_MS, NOW_S, OwnHome

from pillion.client import Client
from pillion.config import Config
from pillion.errors import ComplexArgument, InvalidJob


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def client(home):
    return home.client()


# -- completing ----------------------------------------------------------------------------------------


def test_a_job_known_by_name_only_gets_sidekiqs_defaults(home, client):
    assert client.push({"class": "Hard", "args": [1]}) == "j1"
    assert home.sent.pushed == [
        {
            "retry": True,
            "queue": "default",
            "class": "Hard",
            "args": [1],
            "jid": "j1",
            "created_at": NOW_MS,
            "enqueued_at": NOW_MS,
        }
    ]


def test_keys_come_in_the_order_of_the_wire(home, client):
    client.push({"class": "Hard", "args": [1], "queue": "critical", "tags": ["a"]})
    expected = ["retry", "queue", "class", "args", "tags", "jid", "created_at", "enqueued_at"]
    assert list(home.sent.pushed[0]) == expected


def test_pushing_a_map_and_calling_the_method_write_the_same(home, client):
    @home.job(queue="mailers", wire_name="send")
    def send(n): ...

    send.perform_async(1)
    client.push({"args": [1], "class": send})
    first, second = home.sent.pushed
    assert {**first, "jid": None} == {**second, "jid": None}


def test_jid_and_created_at_that_are_given_are_kept(home, client):
    assert client.push({"class": "Hard", "args": [], "jid": "mine", "created_at": 5}) == "mine"
    assert (home.sent.pushed[0]["jid"], home.sent.pushed[0]["created_at"]) == ("mine", 5)


def test_a_real_client_makes_jids_of_24_hex_digits(home):
    jid = Client(home.sent, Config()).push({"class": "Hard", "args": []})
    assert len(jid) == 24
    assert set(jid) <= set("0123456789abcdef")


def test_at_is_written_as_it_is_and_not_into_the_payload(home, client):
    client.push({"class": "Hard", "args": [], "at": 5})
    assert home.sent.commands[0][:3] == ("ZADD", "schedule", "5")
    assert not {"at", "enqueued_at"} & set(home.sent.pushed[0])


def test_enqueued_at_is_not_in_the_schedule_even_if_the_caller_set_it(home, client):
    client.push({"class": "Hard", "args": [], "at": NOW_S + 60, "enqueued_at": 1})
    assert "enqueued_at" not in home.sent.pushed[0]


def test_transient_keys_are_never_written(home, client):
    client.push({"class": "Hard", "args": [], "sync": True, "client_class": "X"})
    assert not {"pool", "sync", "client_class"} & set(home.sent.pushed[0])


def test_unknown_keys_are_written(home, client):
    client.push({"class": "Hard", "args": [], "tenant": {"id": 7}})
    assert home.sent.pushed[0]["tenant"] == {"id": 7}


def test_the_callers_map_is_left_alone(client):
    item = {"class": "Hard", "args": [1], "at": NOW_S + 60, "pool": None}
    before = dict(item)
    client.push(item)
    assert item == before


# -- precedence of options: call > wrapped class > job class > global defaults ---------------------------


def test_global_default_options_lie_under_everything(home, client):
    home.settings.default_job_options = {"queue": "global", "retry": 3, "tenant": "t"}

    @home.job(queue="own", wire_name="own")
    def own(): ...

    client.push({"class": "Hard", "args": []})
    own.perform_async()
    own.set(tenant="call").perform_async()
    named, classed, called = home.sent.pushed
    assert (named["queue"], named["retry"], named["tenant"]) == ("global", 3, "t")
    assert (classed["queue"], classed["retry"], classed["tenant"]) == ("own", 3, "t")
    assert called["tenant"] == "call"


def test_options_of_a_wrapped_class_lie_over_those_of_the_wrapper(home, client):
    @home.job(queue="inner", wire_name="inner")
    def inner(): ...

    client.push({"class": "Wrapper", "wrapped": inner, "args": [{}], "retry": 1})
    payload = home.sent.pushed[0]
    assert (payload["queue"], payload["wrapped"], payload["retry"]) == ("inner", "inner", 1)


def test_a_wrapped_name_is_kept_as_it_is(home, client):
    client.push({"class": "Wrapper", "wrapped": "Inner", "args": []})
    assert home.sent.pushed[0]["wrapped"] == "Inner"


# -- refusing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (["Hard", [1]], "item"),
        ("Hard", "item"),
        (None, "item"),
        ({"args": []}, "class"),
        ({"class": "Hard"}, "args"),
        ({"class": "Hard", "args": "x"}, "args"),
        ({"class": "Hard", "args": {"a": 1}}, "args"),
        ({"class": 5, "args": []}, "class"),
        ({"class": "", "args": []}, "class"),
        ({"class": None, "args": []}, "class"),
        ({"class": dict, "args": []}, "class"),
        ({"class": "Hard", "args": [], "at": "soon"}, "at"),
        ({"class": "Hard", "args": [], "at": True}, "at"),
        ({"class": "Hard", "args": [], "tags": "billing"}, "tags"),
        ({"class": "Hard", "args": [], "retry_for": 1_000_000_001}, "retry_for"),
        ({"class": "Hard", "args": [], "queue": ""}, "queue"),
        ({"class": "Hard", "args": [], "queue": None}, "queue"),
        ({"class": "Hard", "args": [], "jid": 5}, "jid"),
        ({"class": "Hard", "args": [], 5: "x"}, "item"),
    ],
    ids=str,
)
def test_a_wrong_job_is_refused_by_field_and_nothing_is_written(home, client, item, field):
    with pytest.raises(InvalidJob) as error:
        client.push(item)
    assert error.value.field == field
    assert isinstance(error.value, ValueError)
    assert home.sent.trips == []


def test_a_class_that_is_no_job_is_refused_with_its_ancestors(client):
    class Animal: ...

    class Dog(Animal): ...

    with pytest.raises(InvalidJob, match=r"Dog, which is not derived from Job .*Animal"):
        client.push({"class": Dog, "args": []})


# -- strict arguments --------------------------------------------------------------------------------------


class Order:
    """What an ORM hands out."""

    def ship(self): ...


@pytest.mark.parametrize("value", [lambda: None, Order().ship, Order()], ids=["lambda", "bound method", "object"])
def test_code_and_objects_are_refused_with_the_advice_to_pass_the_id(home, client, value):
    with pytest.raises(ComplexArgument, match="Pass its id"):
        client.push({"class": "Hard", "args": [value]})
    assert home.sent.trips == []


@pytest.mark.parametrize("value", [(1,), {1}, Decimal(1), {1: "a"}, b"x", float("nan")], ids=str)
def test_what_json_would_change_is_refused(home, client, value):
    with pytest.raises(ComplexArgument):
        client.push({"class": "Hard", "args": [value]})
    assert home.sent.trips == []


def test_warn_writes_to_stderr_and_pushes(home, client, capsys):
    home.settings.strict_args = "warn"
    client.push({"class": "Hard", "args": [(1, 2)]})
    assert "Hard" in capsys.readouterr().err
    assert home.sent.pushed[0]["args"] == [[1, 2]]


def test_strict_args_can_be_off(home, client, capsys):
    home.settings.strict_args = False
    client.push({"class": "Hard", "args": [(1, 2)]})
    assert capsys.readouterr().err == ""
    assert home.sent.pushed[0]["args"] == [[1, 2]]


def test_a_complex_argument_is_blamed_on_the_wrapped_class(client):
    with pytest.raises(ComplexArgument, match="InnerJob"):
        client.push({"class": "Wrapper", "wrapped": "InnerJob", "args": [object()]})


# -- client middleware ---------------------------------------------------------------------------------------


def add(home, middleware):
    home.settings.client_middleware.add(middleware)


def test_a_veto_answers_none_and_writes_nothing(home, client):
    add(home, lambda job_class, payload, queue, redis_pool, next_: None)
    assert client.push({"class": "Hard", "args": []}) is None
    assert home.sent.trips == []


def test_what_middleware_changed_is_what_is_stored(home, client):
    def change(job_class, payload, queue, redis_pool, next_):
        payload["args"] = [2]
        payload["queue"] = "moved"
        return next_()

    add(home, change)
    client.push({"class": "Hard", "args": [1]})
    assert home.sent.pushed[0]["args"] == [2]
    assert home.sent.commands[1][1] == "queue:moved"


def test_middleware_may_convert_arguments_that_are_not_strict(home, client):
    def convert(job_class, payload, queue, redis_pool, next_):
        payload["args"] = [str(one) for one in payload["args"]]
        return next_()

    add(home, convert)
    client.push({"class": "Hard", "args": [Decimal("1.50")]})
    assert home.sent.pushed[0]["args"] == ["1.50"]


def test_middleware_sees_the_job_the_time_and_the_storage(home, client):
    seen = []

    def spy(job_class, payload, queue, redis_pool, next_):
        seen.append((job_class, payload.get("at"), queue, redis_pool))
        return next_()

    add(home, spy)

    @home.job
    def mine(): ...

    mine.perform_in(60)
    client.push({"class": "Hard", "args": [], "queue": "q"})
    assert seen == [(mine, NOW_S + 60, "default", home.sent), ("Hard", None, "q", home.sent)]


@pytest.mark.parametrize(("field", "value"), [("args", "x"), ("queue", ""), ("class", None), ("jid", 5)])
def test_middleware_that_breaks_the_payload_is_refused(home, client, field, value):
    def breaking(job_class, payload, queue, redis_pool, next_):
        payload[field] = value
        return next_()

    add(home, breaking)
    with pytest.raises(InvalidJob) as error:
        client.push({"class": "Hard", "args": []})
    assert error.value.field == field
    assert home.sent.trips == []


# -- other ways in ----------------------------------------------------------------------------------------------


def test_enqueue_and_its_relatives(home, client):
    client.enqueue("Hard", 1, 2)
    client.enqueue_to("low", "Hard", 1)
    client.enqueue_in(60, "Hard", 1)
    client.enqueue_to_in("low", -1, "Hard", 1)
    assert [(p["queue"], p["args"]) for p in home.sent.pushed] == [
        ("default", [1, 2]),
        ("low", [1]),
        ("default", [1]),
        ("low", [1]),
    ]
    assert [at for at, _ in home.sent.scheduled] == [NOW_S + 60]


def test_via_pushes_through_another_storage_nests_and_comes_back_after_an_error(home, client):
    one, two = OwnHome().sent, OwnHome().sent
    with Client.via(one):
        client.push({"class": "Hard", "args": [1]})
        with pytest.raises(LookupError), Client.via(two):
            client.push({"class": "Hard", "args": [2]})
            raise LookupError
        client.push({"class": "Hard", "args": [3]})
    client.push({"class": "Hard", "args": [4]})
    assert [[p["args"] for p in sent.pushed] for sent in (one, two, home.sent)] == [[[1], [3]], [[2]], [[4]]]


def test_via_needs_a_storage():
    with pytest.raises(InvalidJob), Client.via(None):
        pass


def test_the_async_client_writes_the_same(home):
    item = {"class": "Hard", "args": [1], "jid": "same"}
    home.client().push(item)

    async def push():
        client = home.async_client()
        assert await client.push(item) == "same"
        await client.enqueue_in(60, "Hard", 2)
        with pytest.raises(InvalidJob):
            await client.push({"class": "Hard"})

    asyncio.run(push())
    assert home.sent_async.trips[0] == home.sent.trips[0]
    assert home.sent_async.trips[1][0][0] == "ZADD"


def test_prepare_gives_the_payload_without_writing(home, client):
    payload = client.prepare({"class": "Hard", "args": [1], "at": NOW_S + 5})
    assert (payload["at"], payload["jid"]) == (NOW_S + 5, "j1")
    assert home.sent.trips == []
