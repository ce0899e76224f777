"""The buckets of the metrics by name, as Sidekiq 8 writes them (wire-format 8 and 13)."""

from datetime import UTC, date, datetime

import pytest

from pillion.wire import keys, rollup
from pillion.wire.rollup import Counts

MORNING = datetime(2025, 2, 14, 8, 3, 59, tzinfo=UTC).timestamp()
EVENING = datetime(2025, 2, 14, 22, 27, tzinfo=UTC).timestamp()
MIDNIGHT = datetime(2026, 11, 1, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("at_s", "minute", "ten_minutes"),
    [
        (MORNING, "j|250214|8:03", "j|250214|8:0"),
        (EVENING, "j|250214|22:27", "j|250214|22:2"),
        (MIDNIGHT, "j|261101|0:00", "j|261101|0:0"),
    ],
)
def test_a_rollup_has_the_hour_unpadded_and_the_minute_padded(at_s, minute, ten_minutes):
    assert keys.rollup(rollup.minute(at_s)) == minute
    assert keys.rollup(rollup.ten_minutes(at_s)) == ten_minutes


@pytest.mark.parametrize(
    ("at_s", "key"),
    [
        (datetime(2026, 11, 22, 22, 3, tzinfo=UTC).timestamp(), "h|App::FooJob-22-22:3"),
        (MIDNIGHT, "h|App::FooJob-1-0:0"),
        (MORNING, "h|App::FooJob-14-8:3"),
    ],
)
def test_a_histogram_has_nothing_padded(at_s, key):
    assert keys.histogram("App::FooJob", rollup.histogram_minute(at_s)) == key


def test_keys_of_deploys():
    assert keys.deploy_marks(date(2026, 1, 9)) == "20260109-marks"
    assert keys.deploy_lock("v1") == "deploylock-v1"


def test_lifetimes_are_sidekiqs():
    assert (keys.ROLLUP_MINUTE_TTL_S, keys.HISTOGRAM_TTL_S, keys.ROLLUP_TEN_MINUTES_TTL_S) == (28_800, 28_800, 259_200)
    assert (keys.DEPLOY_MARKS_TTL_S, keys.DEPLOY_LOCK_TTL_S) == (7_776_000, 60)


@pytest.mark.parametrize("name", ["HardJob", "shop.jobs.Order", "odd|name", "|", "é☃"])
def test_a_field_is_read_back_whatever_the_class_is_called(name):
    assert rollup.read_field(rollup.field(name, "ms").encode()) == (name, "ms")


@pytest.mark.parametrize("field", [b"", b"nothing"])
def test_what_is_no_field_belongs_to_no_class(field):
    assert rollup.read_field(field) == ("", "")


@pytest.mark.parametrize(
    ("width_s", "label"), [(rollup.MINUTE_S, "2025-02-14T08:03:00Z"), (rollup.TEN_MINUTES_S, "2025-02-14T08:00:00Z")]
)
def test_a_label_is_where_the_bucket_begins(width_s, label):
    assert rollup.label(MORNING, width_s) == label


def test_a_label_is_read_back():
    assert rollup.read_label("2025-02-14T08:03:00Z") == MORNING - 59


def test_a_stamp_without_zone_is_utc():
    assert rollup.read_label("2025-02-14T08:03:59") == MORNING


@pytest.mark.parametrize("text", ["", "yesterday", "20250214 8:03"])
def test_what_is_no_time_is_none(text):
    assert rollup.read_label(text) is None


def test_days_from_one_time_to_another():
    assert rollup.days(MORNING, EVENING) == [date(2025, 2, 14)]
    assert rollup.days(MORNING - 48 * 3600, MORNING) == [date(2025, 2, 12), date(2025, 2, 13), date(2025, 2, 14)]


def test_runs_are_the_failed_and_those_in_the_histogram():
    assert Counts(2, 61, (0, 0, 2, *[0] * 23)).runs == 4


def test_counts_add_up():
    one = Counts(1, 10, (1, *[0] * 25))
    assert one + one == Counts(2, 20, (2, *[0] * 25))
