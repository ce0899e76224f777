"""A Stencil writes, byte for byte, what `dumps` writes of the whole payload (wire-format 0.1 and 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.errors import InvalidJob
from pillion.wire.codec import dumps
from pillion.wire.payload import new_jids
from pillion.wire.stencil import Stencil

OPTIONS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=5).filter(lambda key: key not in ("args", "jid")),
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.just(["a"]),
    max_size=4,
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
JID = "0123456789abcdef01234567"


@given(OPTIONS, OPTIONS, OPTIONS, st.booleans(), st.lists(VALUES, max_size=4), st.text(st.characters(codec="utf-8")))
def test_the_bytes_are_those_of_the_whole_payload(
    before: dict[str, Any], between: dict[str, Any], after: dict[str, Any], args_first: bool, args: list[Any], jid: str
) -> None:
    first, second = ("args", "jid") if args_first else ("jid", "args")
    payload = {**before, first: 0, **between, second: 0, **after}
    assert Stencil(payload).fill(args, jid) == dumps({**payload, "args": args, "jid": jid})


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("args", [(1, 2), [(1,)], [{1: 2}], [1e300], [1e-7], nested(99)])
def test_what_needs_the_slow_path_is_written_alike(args: Any) -> None:
    payload: dict[str, Any] = {"class": "A", "args": [], "jid": "-"}
    assert Stencil(payload).fill(args, JID) == dumps({**payload, "args": args, "jid": JID})


class Text(str):
    """As some libraries make it: text that knows where it comes from."""


class Pile(list[Any]):
    """The same for lists."""


def test_subclasses_of_text_and_lists_are_written_as_those() -> None:
    payload: dict[str, Any] = {"class": "A", "args": [], "jid": "-"}
    assert Stencil(payload).fill(Pile([1]), Text(JID)) == dumps({**payload, "args": [1], "jid": JID})


@pytest.mark.parametrize(
    "args", [[float("nan")], ["\ud800"], [object()], nested(100)], ids=["nan", "surrogate", "object", "deep"]
)
def test_what_json_cannot_carry_is_refused_in_the_same_words(args: list[Any]) -> None:
    payload: dict[str, Any] = {"class": "A", "args": [], "jid": "-"}
    with pytest.raises(InvalidJob) as expected:
        dumps({**payload, "args": args, "jid": JID})
    with pytest.raises(InvalidJob) as error:
        Stencil(payload).fill(args, JID)
    assert str(error.value) == str(expected.value)


def test_many_jids_are_24_hex_digits_each_and_all_different() -> None:
    jids = new_jids(1000)
    assert len(set(jids)) == len(jids) == 1000
    assert all(len(jid) == 24 and set(jid) <= set("0123456789abcdef") for jid in jids)
    assert new_jids(0) == []
