"""The JSON form (wire-format 0.1): the bytes that Ruby writes, and what is read as a job."""

from __future__ import annotations

import enum
import json
import struct
from collections import OrderedDict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.errors import DecodeError, InvalidJob
from pillion.wire.codec import dumps, format_float, loads, loads_job


def nested(levels: int, leaf: list[Any]) -> list[Any]:
    """`levels` lists, one in the other, around what is in `leaf`."""
    value = leaf
    for _ in range(levels - 1):
        value = [value]
    return value


class Broken:
    """An object that cannot even be shown, as a detached ORM row."""

    def __repr__(self) -> str:
        raise RuntimeError("detached")


# -- golden vectors: captured from Sidekiq 8.1.7 (wire-format 13) ----------------------------------------------

PUSHED = (
    '{"retry":5,"queue":"critical","backtrace":true,"tags":["a"],"args":[1,"é/☃\\u0001"],"class":"HardJob",'
    '"jid":"c9f6793beefe481e912ac3a7","created_at":1795300027713,"enqueued_at":1795300027713}'
)
SCHEDULED = (
    '{"retry":true,"queue":"single","args":[7],"class":"OkJob","jid":"9922ab488a26202ca88dcdde",'
    '"created_at":1795300070532}'
)
FAILED = (
    '{"retry":true,"queue":"default","backtrace":2,"args":["x"],"class":"BoomJob","jid":"d9fd4aa46323762f6d399ffa",'
    '"created_at":1795300070530,"enqueued_at":1795300070530,"error_message":"bad ☃","error_class":"ArgumentError",'
    '"failed_at":1795300070895,"retry_count":0,"error_backtrace":"eJx1zLEKhDAMANBfkS4uYsBFcfQ3RLxrjRCrTUws3OeLt7s/'
    '3ujgOgQsmmCoOaSBMmhO8BWp1fdtT6n4COrKepSueuMWd/JgtGCkE0Q5oBnrUzRN90/whyFfOG/sSzfdPnErIA=="}'
)
PROCESS_INFO = (
    '{"hostname":"vm","started_at":1795300070.8934255,"pid":25186,"tag":"mytag","capsules":{"default":'
    '{"concurrency":2,"mode":"weighted","weights":{"high":3,"default":1}},"single":{"concurrency":1,"mode":"weighted",'
    '"weights":{"single":2,"other":1}}},"queues":["high","default","single","other"],"weights":[{"high":3,"default":1},'
    '{"single":2,"other":1}],"labels":[],"identity":"vm:25186:23318e6a3cfb","version":"8.1.7","embedded":false}'
)
WORK = (
    r'{"queue":"default","payload":"{\"retry\":true,\"queue\":\"default\",\"args\":[40],\"class\":\"IterJob\",'
    r'\"jid\":\"ff783924d8ee0c8b2308a38c\",\"created_at\":1795300070532,\"enqueued_at\":1795300070532}",'
    r'"run_at":1795300070}'
)


@pytest.mark.parametrize("text", [PUSHED, SCHEDULED, FAILED, PROCESS_INFO, WORK])
def test_what_ruby_wrote_comes_back_byte_for_byte(text: str) -> None:
    assert dumps(loads_job(text.encode())) == text.encode()


# -- strings -----------------------------------------------------------------------------------------------

CONTROL = (
    r'"\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f'
    r'\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f"'
)


def test_control_characters_are_escaped_as_ruby_does_with_lower_case_hex() -> None:
    assert dumps("".join(map(chr, range(0x20)))) == CONTROL.encode()


def test_quotes_and_backslashes_are_escaped() -> None:
    assert dumps('say "a\\b"') == rb'"say \"a\\b\""'


@pytest.mark.parametrize("char", ["/", "\x7f", "\u2028", "\u2029", "é", "☃", "😀", "\ufeff", "<", "&"])
def test_everything_else_stays_raw_utf8(char: str) -> None:
    assert dumps(char) == b'"' + char.encode() + b'"'


@pytest.mark.parametrize("value", ["\ud83d", ["ok", {"name": "\udc80"}], {"\ud800": 1}, ("\udfff",)])
def test_half_a_surrogate_pair_is_refused(value: object) -> None:
    with pytest.raises(InvalidJob, match="half a surrogate pair"):
        dumps(value)


# -- numbers -----------------------------------------------------------------------------------------------

# Checked against Ruby 3.1 with json 2.6.1, which agrees with 2.15 from 0.0001 to 1e15.
FLOATS_IN_ANY_RUBY = {
    0.0: "0.0",
    1.0: "1.0",
    -2.5: "-2.5",
    0.1: "0.1",
    1 / 3: "0.3333333333333333",
    0.0001: "0.0001",
    1e14: "100000000000000.0",
    999999999999999.0: "999999999999999.0",
    1795300071.5323694: "1795300071.5323694",
    1000000000000000.5: "1000000000000000.5",
    1234567890123456.8: "1234567890123456.8",
}
# As json >= 2.15 lays floats out: wire-format 0.1.
FLOATS_IN_RECENT_RUBY = {
    1e15: "1e+15",
    1234567890123456.0: "1.234567890123456e+15",
    1e16: "1e+16",
    -1e16: "-1e+16",
    123456789012345680.0: "1.2345678901234568e+17",
    1e22: "1e+22",
    1e100: "1e+100",
    1.7976931348623157e308: "1.7976931348623157e+308",
    0.00001: "0.00001",
    0.000099: "0.000099",
    1.5e-6: "0.0000015",
    1e-9: "0.000000001",
    -1.25e-9: "-0.00000000125",
    9.99e-10: "9.99e-10",
    1e-10: "1e-10",
    5e-324: "5e-324",
}


@pytest.mark.parametrize(("value", "text"), [*FLOATS_IN_ANY_RUBY.items(), *FLOATS_IN_RECENT_RUBY.items()])
def test_floats_are_printed_as_ruby_prints_them(value: float, text: str) -> None:
    assert dumps([value]) == f"[{text}]".encode()
    assert format_float(value) == text


def test_minus_zero_keeps_its_sign() -> None:
    assert dumps([-0.0]) == b"[-0.0]"
    assert struct.pack("d", loads(b"[-0.0]")[0]) == struct.pack("d", -0.0)  # type: ignore[index]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_comes_back_as_it_went(value: float) -> None:
    assert struct.pack("d", loads(dumps([value]))[0]) == struct.pack("d", value)  # type: ignore[index]
    assert struct.pack("d", float(format_float(value))) == struct.pack("d", value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_fast_path_prints_floats_as_the_slow_one(value: float) -> None:
    assert dumps([value]) == dumps((value,)) == f"[{format_float(value)}]".encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused_and_their_place_is_named(value: float) -> None:
    with pytest.raises(InvalidJob, match=r"\['args'\]\[0\]\['x'\] holds -?(nan|inf)"):
        dumps({"args": [{"x": value}]})


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**100, -(10**1000)])
def test_integers_of_any_size_survive_both_ways(number: int) -> None:
    assert dumps([number]) == f"[{number}]".encode()
    assert loads(f"[{number}]".encode()) == [number]


def test_an_integer_beyond_what_python_converts_is_refused_on_both_ways() -> None:
    with pytest.raises(InvalidJob, match="4300 digits"):
        dumps([10**5000])
    with pytest.raises(DecodeError, match="4300 digits"):
        loads(b"1" * 5000)


# -- containers --------------------------------------------------------------------------------------------


def test_no_whitespace_and_keys_in_the_order_they_came() -> None:
    assert dumps({"z": 1, "a": [1, {}, []], "m": {"b": None, "a": True}}) == (
        b'{"z":1,"a":[1,{},[]],"m":{"b":null,"a":true}}'
    )


@pytest.mark.parametrize("leaf", [[], [1], [1e20]])
def test_a_hundred_levels_are_written_and_read(leaf: list[Any]) -> None:
    value = nested(100, leaf)
    assert loads(dumps(value)) == value


@pytest.mark.parametrize("leaf", [[], [1], [1e20]])
@pytest.mark.parametrize("levels", [101, 5000])
def test_deeper_nesting_is_not_written(levels: int, leaf: list[Any]) -> None:
    with pytest.raises(InvalidJob, match="100 levels"):
        dumps(nested(levels, leaf))


@pytest.mark.parametrize("leaf", ["", "1", "NaN", r'"\ud83d"'])
@pytest.mark.parametrize("levels", [101, 700, 5000])
def test_deeper_nesting_is_not_read(levels: int, leaf: str) -> None:
    with pytest.raises(DecodeError):
        loads(b"[" * levels + leaf.encode() + b"]" * levels)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    value = [[i, {"a": []}] for i in range(200)]
    assert loads(dumps(value)) == value


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(InvalidJob, match="contains itself"):
        dumps(value)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ((1, (2,)), "[1,[2]]"),
        (Point(1, 2), "[1,2]"),
        (Colour.RED, '"red"'),
        ([Level.HIGH], "[3]"),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (
            {7: "a", None: "b", True: "c", 1e20: "d", Colour.RED: "e"},
            '{"7":"a","null":"b","true":"c","1e+20":"d","red":"e"}',
        ),
    ],
)
def test_close_relatives_of_the_basic_types_are_written_as_those(value: object, text: str) -> None:
    assert dumps(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (datetime(2026, 11, 21, tzinfo=UTC), "datetime"),
        ({1}, "set"),
        (b"raw", "bytes"),
        (Decimal("1.5"), "Decimal"),
        (Broken(), "Broken"),
        ({(1, 2): 3}, "key of type tuple"),
    ],
)
def test_what_json_cannot_carry_is_refused_by_type(value: object, named: str) -> None:
    with pytest.raises(InvalidJob, match=named) as caught:
        dumps({"args": [value]})
    assert caught.value.field == "args"
    assert "['args'][0]" in str(caught.value)


# -- reading -----------------------------------------------------------------------------------------------


def test_the_last_of_two_equal_keys_wins() -> None:
    assert loads_job(b'{"a":1,"b":2,"a":3}') == {"a": 3, "b": 2}


def test_whitespace_around_and_inside_is_accepted() -> None:
    assert loads_job(b' {"a" : [ 1 ,\n2 ] } ') == {"a": [1, 2]}


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_numbers_that_are_none_make_no_job(text: str) -> None:
    with pytest.raises(DecodeError, match="Not JSON"):
        loads_job(f'{{"args":[{text}]}}'.encode())


@pytest.mark.parametrize("raw", [b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"\xc0\x80":1}', b"\x80"])
def test_invalid_utf8_makes_no_job(raw: bytes) -> None:
    with pytest.raises(DecodeError, match="Not UTF-8"):
        loads_job(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1}x', b'{"a":1,}', b"{'a':1}", b'{"a":01}', b'{"a":"\n"}', b"hello"])
def test_broken_json_makes_no_job(raw: bytes) -> None:
    with pytest.raises(DecodeError, match="Not JSON"):
        loads_job(raw)


@pytest.mark.parametrize(
    ("raw", "came"),
    [(b"5", "a number"), (b"1.5", "a number"), (b"null", "null"), (b"[1]", "an array"), (b'"x"', "a string"),
     (b"true", "a boolean")],
)  # fmt: skip
def test_json_that_is_no_object_makes_no_job_and_the_error_says_what_came(raw: bytes, came: str) -> None:
    with pytest.raises(DecodeError, match=f"this is {came}"):
        loads_job(raw)


def test_half_a_surrogate_pair_in_an_escape_is_read_as_the_replacement_character() -> None:
    # JavaScript writes it when it has cut a text in the middle of an emoji.
    job = loads_job(rb'{"args":["cut \ud83d","\ude00",{"\ud83d":1}],"ok":"\ud83d\ude00","n":100000000000000000000}')
    assert job == {"args": ["cut \ufffd", "\ufffd", {"\ufffd": 1}], "ok": "😀", "n": 10**20}


# -- properties --------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=30,
)


def identical(left: object, right: object) -> bool:
    """Equal in value, type and order: 1 is not 1.0, and {"a","b"} is not {"b","a"}."""
    return repr(left) == repr(right)


@given(JSON_VALUES)
def test_any_value_is_read_back_identical(value: object) -> None:
    assert identical(loads(dumps(value)), value)


@given(JSON_VALUES)
def test_bytes_do_not_change_when_parsed_and_written_again(value: object) -> None:
    raw = dumps(value)
    assert dumps(loads(raw)) == raw


@given(JSON_VALUES)
def test_the_standard_library_reads_the_same(value: object) -> None:
    assert identical(json.loads(dumps(value)), value)


@given(JSON_VALUES)
def test_both_ways_of_writing_give_the_same_bytes(value: object) -> None:
    assert dumps((value,)) == b"[" + dumps(value) + b"]"  # the tuple takes the slow path


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,0123456789.eE+-\\udNaInfty ', max_size=40).map(str.encode))
def test_any_bytes_are_a_job_or_a_decode_error_and_a_job_can_be_written(raw: bytes) -> None:
    try:
        job = loads_job(raw)
    except DecodeError:
        return
    assert loads_job(dumps(job)) == job
