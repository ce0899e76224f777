"""Parameters have bounds: pages are lenient, programs are told."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.web.params import BadParam, Param, read_all
from pillion.web.routes import ROUTES

COUNT = Param(name="count", kind="whole", default=25, low=1, high=500, summary="")
AT = Param(name="at", kind="number", summary="")
VIEW = Param(name="view", kind="choice", default="groups", choices=("groups", "list"), summary="")
TEXT = Param(name="q", kind="text", default="", most=10, summary="")
KEYS = Param(name="key", kind="texts", default=(), most=5, many=3, summary="")
FLAG = Param(name="all", kind="flag", default=False, summary="")

ALL = sorted({param for route in ROUTES for param in route.params}, key=lambda param: param.name)
ANYTHING = st.one_of(
    st.text(),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["9" * 5000, "-" + "9" * 5000, "1e999", "nan", "-inf", "0x10", "１２", "--1", "1_000", "²", " 5 "]),
)


@pytest.mark.parametrize(
    ("param", "given_", "value"),
    [
        (COUNT, [], 25),
        (COUNT, [""], 25),
        (COUNT, ["7"], 7),
        (COUNT, ["9999999"], 500),
        (COUNT, ["-3"], 1),
        (COUNT, ["9" * 5000], 500),
        (COUNT, ["-" + "9" * 5000], 1),
        (COUNT, ["many"], 25),
        (COUNT, ["1", "2"], 2),
        (AT, ["1700000000.25"], 1700000000.25),
        (AT, ["nan"], None),
        (AT, ["inf"], None),
        (VIEW, ["list"], "list"),
        (VIEW, ["<script>"], "groups"),
        (TEXT, ["x" * 100], "x" * 10),
        (KEYS, ["a", "", "b"], ("a", "b")),
        (KEYS, ["a", "toolong", "b", "c", "d"], ("a", "b")),
        (FLAG, ["1"], True),
        (FLAG, ["yes"], False),
    ],
)
def test_a_page_takes_what_it_can(param, given_, value):
    assert param.read(given_, strict=False) == value


@pytest.mark.parametrize(
    ("param", "given_", "told"),
    [
        (COUNT, ["501"], "count: expected a whole number from 1 to 500, got '501'."),
        (COUNT, ["0"], "from 1 to 500"),
        (COUNT, ["9" * 5000], "from 1 to 500"),
        (AT, ["inf"], "at: expected a number, got 'inf'."),
        (VIEW, ["tree"], "one of groups, list"),
        (TEXT, ["x" * 11], "at most 10 characters"),
        (KEYS, ["toolong"], "at most 3 texts of at most 5 characters"),
        (KEYS, ["a", "b", "c", "d"], "at most 3 texts"),
        (FLAG, ["yes"], "1 or 0"),
    ],
)
def test_a_program_is_told_what_was_expected(param, given_, told):
    with pytest.raises(BadParam) as bad:
        param.read(given_, strict=True)
    assert told in str(bad.value)
    assert len(str(bad.value)) < 300


def test_a_program_is_told_of_a_name_that_means_nothing():
    with pytest.raises(BadParam, match="cuont: expected only count, q"):
        read_all([COUNT, TEXT], {"cuont": ["3"]}, strict=True)


def test_a_page_passes_over_such_a_name():
    assert read_all([COUNT], {"cuont": ["3"]}, strict=False) == {"count": 25}


@pytest.mark.parametrize("param", ALL, ids=lambda param: f"{param.name}-{param.kind}")
@given(given_=st.lists(ANYTHING, max_size=5))
def test_whatever_comes_the_value_is_within_its_bounds(param, given_):
    value = param.read(given_, strict=False)
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, str) and one != param.default:
            assert len(one) <= param.most
            assert not param.choices or one in param.choices
        elif isinstance(one, int | float) and not isinstance(one, bool):
            assert param.low <= one <= param.high
            assert math.isfinite(one)


@pytest.mark.parametrize(
    "query",
    [
        "count=9999999",
        "page=99999999999999999999999",
        "days=100000000000",
        "period=%22%3E%3Cscript%3E",
        "view=%00",
        "cursor=%FF%FE",
        "q=%5B%5D%3F%5C*",
        "at=nan&in=%00",
        "count=%F0%9F%92%A9",
        "&".join(f"x{number}=1" for number in range(500)),
    ],
    ids=lambda query: query[:30],
)
@pytest.mark.parametrize("path", ["/", "/busy", "/queues/mail", "/retries", "/dead", "/metrics", "/search", "/jobs/x"])
def test_no_query_breaks_a_page(path, query, dash, filled):
    assert dash().client("admin").get(f"{path}?{query}").status_code in (200, 404)


def test_too_many_fields_are_refused(dash, filled):
    query = "&".join(f"x{number}=1" for number in range(3000))
    assert dash().client("admin").get(f"/queues?{query}").status_code == 400
