"""`python -m shop`, and what its figures mean."""

import pytest
from click.testing import CliRunner

from shop import cli, load_drill, page_times
from shop.behaviours import Behaviour, behaviour_of, set_behaviour


def run(*arguments):
    return CliRunner().invoke(cli.main, arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "7"), "Error: There is no such order."),
        (("nightly", "7"), "unexpected extra argument"),
        (("behave", "payments", "--sleep", "-1"), "-1.0 is not in the range"),
        (("load", "--orders", "0"), "0 is not in the range"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(arguments, said):
    result = run(*arguments)
    assert result.exit_code != 0
    assert said in result.output
    assert "Traceback" not in result.output


def test_who_orders_in_a_shop_that_is_closed_is_told_how_to_open_it(monkeypatch):
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:1")
    result = run("order", "Flux Capacitor")
    assert result.exit_code == 1
    assert "Is the shop running? make shop starts it." in result.output


def test_times_are_summed_up():
    hundred = [float(ms) for ms in range(100, 0, -1)]
    assert page_times.times_of(hundred) == page_times.Times(p50_ms=50, p99_ms=99, max_ms=100)
    assert page_times.times_of([7.0]) == page_times.Times(p50_ms=7, p99_ms=7, max_ms=7)


def test_payments_behave_as_before_when_they_were_slow():
    set_behaviour("payments", Behaviour(throttle=True))
    with page_times.slow_payments(2.5):
        assert behaviour_of("payments") == Behaviour(sleep_s=2.5)
    assert behaviour_of("payments") == Behaviour(throttle=True)


def test_rows_are_counted_if_they_are_about_one_of_the_orders():
    rows = [
        {"metadata": {"order_id": "7"}},
        {"template_data": {"order_id": 7}},
        {"metadata": {"order_id": "8"}},
        {"metadata": None},
    ]
    assert load_drill.count_rows(rows, [7, 9]) == 2
