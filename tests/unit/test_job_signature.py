"""How the arguments of a push become positions (the wire knows nothing else)."""

import pytest
from own_home import OwnHome

from pillion.errors import ConfigError, JobArgumentError


@pytest.fixture
def home():
    return OwnHome()


@pytest.fixture
def three(home):
    class Three(home.Job):
        def perform(self, a, b=2, c=3): ...

    return Three


@pytest.mark.parametrize(
    ("args", "kwargs", "positions"),
    [
        ((1,), {}, [1]),
        ((), {"a": 1}, [1]),
        ((1,), {"b": 5}, [1, 5]),
        ((1,), {"c": 5}, [1, 2, 5]),
        ((), {"c": 5, "a": 1}, [1, 2, 5]),
        ((1, 7), {"c": 5}, [1, 7, 5]),
    ],
    ids=str,
)
def test_keywords_go_to_their_positions_and_defaults_fill_only_the_gaps(home, three, args, kwargs, positions):
    three.perform_async(*args, **kwargs)
    assert home.sent.pushed[0]["args"] == positions


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3, 4), {}, "too many positional arguments"),
        ((1,), {"d": 1}, "unexpected keyword argument 'd'"),
        ((1,), {"a": 1}, "multiple values for argument 'a'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_signature_and_the_reason(home, three, args, kwargs, why):
    with pytest.raises(JobArgumentError) as error:
        three.perform_async(*args, **kwargs)
    assert "Three.perform(a, b=2, c=3)" in str(error.value)
    assert why in str(error.value)
    assert home.sent.trips == []


def test_an_arity_error_is_a_type_error_as_for_any_python_call(three):
    with pytest.raises(TypeError):
        three.perform_async()


def test_var_positional_takes_any_number(home):
    class Many(home.Job):
        def perform(self, first, *rest): ...

    Many.perform_async(1, 2, 3)
    Many.perform_async(1)
    assert [payload["args"] for payload in home.sent.pushed] == [[1, 2, 3], [1]]
    with pytest.raises(JobArgumentError):
        Many.perform_async()


def test_an_optional_keyword_only_parameter_cannot_be_sent(home):
    class Flagged(home.Job):
        def perform(self, a, *, dry=False): ...

    Flagged.perform_async(1)
    with pytest.raises(JobArgumentError, match="'dry' can only be passed by keyword"):
        Flagged.perform_async(1, dry=True)


def test_free_keywords_cannot_be_sent(home):
    class Free(home.Job):
        def perform(self, a, **rest): ...

    with pytest.raises(JobArgumentError, match="'colour' can only be passed by keyword"):
        Free.perform_async(1, colour="red")


def test_a_required_keyword_only_parameter_is_refused_at_definition(home):
    with pytest.raises(ConfigError, match="A job is sent as a list of positions"):

        class Impossible(home.Job):
            def perform(self, *, order_id): ...


def test_a_perform_without_self_is_refused_at_definition(home):
    with pytest.raises(ConfigError, match="first parameter is self"):

        class NoSelf(home.Job):
            def perform(): ...


@pytest.mark.parametrize("wrap", [staticmethod, classmethod])
def test_perform_may_be_a_static_or_class_method(home, wrap):
    body = (lambda a, b=2: None) if wrap is staticmethod else (lambda cls, a, b=2: None)

    class Odd(home.Job):
        perform = wrap(body)

    Odd.perform_async(a=1)
    with pytest.raises(JobArgumentError):
        Odd.perform_async(1, 2, 3)


def test_positional_only_parameters_cannot_be_named(home):
    class Strict(home.Job):
        def perform(self, a, /): ...

    with pytest.raises(JobArgumentError):
        Strict.perform_async(a=1)


def test_a_function_is_checked_like_a_method(home):
    @home.job
    def resize(path, width=100): ...

    resize.perform_async("a.png", width=5)
    assert home.sent.pushed[0]["args"] == ["a.png", 5]
    with pytest.raises(JobArgumentError, match=r"resize\(path, width=100\)"):
        resize.perform_async()


def test_bulk_pushes_check_each_list_of_arguments(home, three):
    with pytest.raises(JobArgumentError):
        three.perform_bulk([[1], []])


def test_scheduled_and_inline_calls_are_checked_as_well(home, three):
    for call in (lambda: three.perform_in(5), three.perform_inline, lambda: three.set(queue="low").perform_async()):
        with pytest.raises(JobArgumentError):
            call()
