"""The order of a chain, and what adding, moving and removing do to it (behaviour 3)."""

import pytest

from pillion.errors import ConfigError
from pillion.middleware import ClientChain, ServerChain


class A:
    def __init__(self, label="a"):
        self.label = label

    def __call__(self, *args):
        return args[-1]()


class B(A): ...


class C(A): ...


class D(A): ...


def chain_of(*classes):
    chain = ServerChain()
    for one in classes:
        chain.add(one)
    return chain


def order(chain):
    return [entry.factory for entry in chain]


def test_a_new_chain_is_empty():
    chain = ServerChain()
    assert chain.is_empty
    assert len(chain) == 0
    assert list(chain) == []


def test_add_appends():
    assert order(chain_of(A, B)) == [A, B]


def test_add_of_a_present_class_moves_it_to_the_end_with_its_new_arguments():
    chain = chain_of(A, B)
    chain.add(A, "new")
    assert order(chain) == [B, A]
    assert chain.entries[-1].args == ("new",)


def test_prepend_puts_in_front_and_moves_a_present_class():
    chain = chain_of(A, B)
    chain.prepend(C)
    chain.prepend(B)
    assert order(chain) == [B, C, A]


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [(A, [D, A, B, C]), (B, [A, D, B, C]), (C, [A, B, D, C])],
)
def test_insert_before(anchor, expected):
    chain = chain_of(A, B, C)
    chain.insert_before(anchor, D)
    assert order(chain) == expected


@pytest.mark.parametrize(
    ("anchor", "expected"),
    [(A, [A, D, B, C]), (B, [A, B, D, C]), (C, [A, B, C, D])],
)
def test_insert_after(anchor, expected):
    chain = chain_of(A, B, C)
    chain.insert_after(anchor, D)
    assert order(chain) == expected


def test_insert_before_a_missing_class_goes_to_the_front():
    chain = chain_of(A, B)
    chain.insert_before(D, C)
    assert order(chain) == [C, A, B]


def test_insert_after_a_missing_class_goes_to_the_end():
    chain = chain_of(A, B)
    chain.insert_after(D, C)
    assert order(chain) == [A, B, C]


def test_inserting_a_present_class_moves_it_and_keeps_the_arguments_it_had():
    chain = ServerChain()
    chain.add(A, "old")
    chain.add(B)
    chain.insert_after(B, A, "ignored")
    assert order(chain) == [B, A]
    assert chain.entries[1].args == ("old",)


def test_remove_takes_out_and_ignores_what_is_not_there():
    chain = chain_of(A, B)
    chain.remove(A)
    chain.remove(D)
    assert order(chain) == [B]


def test_clear_empties():
    chain = chain_of(A, B)
    chain.clear()
    assert chain.is_empty


def test_removing_the_last_one_makes_the_chain_empty_again():
    chain = chain_of(A)
    assert not chain.is_empty
    chain.remove(A)
    assert chain.is_empty


def test_exists_and_in():
    chain = chain_of(A)
    assert chain.exists(A)
    assert A in chain
    assert B not in chain


def test_a_copy_has_a_life_of_its_own():
    chain = chain_of(A)
    twin = chain.copy()
    twin.add(B)
    assert order(chain) == [A]
    assert order(twin) == [A, B]
    assert type(twin) is ServerChain


def test_add_is_a_decorator():
    chain = ServerChain()

    @chain.add
    def mine(job, payload, queue, next_):
        return next_()

    assert order(chain) == [mine]


def test_what_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match="a class or a callable"):
        ServerChain().add("metrics")


def test_arguments_for_what_is_no_class_are_refused():
    with pytest.raises(ConfigError, match="a class, when arguments are given"):
        ServerChain().add(lambda *args: None, "x")


def test_an_async_client_middleware_is_refused():
    async def mine(job_class, payload, queue, redis_pool, next_): ...

    with pytest.raises(ConfigError, match="a plain function"):
        ClientChain().add(mine)


def test_a_chain_being_walked_does_not_see_changes():
    chain = chain_of(A, B)
    walked = []
    for entry in chain:
        walked.append(entry.factory)
        chain.clear()
    assert walked == [A, B]
