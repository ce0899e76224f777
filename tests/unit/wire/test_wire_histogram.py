"""The histogram of run times: bounds, labels, and which bucket a time belongs to (wire-format 8.2)."""

import pytest

from pillion.wire.histogram import BOUNDS_MS, BUCKETS, LABELS, bucket_of


def test_there_are_26_buckets_each_with_a_label():
    assert (BUCKETS, len(LABELS)) == (26, 26)


def test_labels_say_the_bounds():
    def in_ms(label):
        return float(label.removesuffix("ms")) if label.endswith("ms") else float(label.removesuffix("s")) * 1000

    assert tuple(map(in_ms, LABELS[:-1])) == BOUNDS_MS
    assert LABELS[-1] == "Slow"


@pytest.mark.parametrize(
    ("time_ms", "bucket"),
    [(0, 0), (19.999, 0), (20, 1), (29.9, 1), (30, 2), (31, 2), (1100, 11), (334_999, 24), (335_000, 25), (1e9, 25)],
)
def test_a_bound_belongs_to_the_next_bucket(time_ms, bucket):
    assert bucket_of(time_ms) == bucket
