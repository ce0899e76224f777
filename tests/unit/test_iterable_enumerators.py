"""What iterable jobs go through: each begins with the item of the cursor it is given (behaviour 16)."""

from __future__ import annotations

import gc
import json

import pytest

from pillion.api.progress import Progress
from pillion.errors import ConfigError
from pillion.iterable import counted, csv_batches, csv_rows, each_batch, lines, sequence
from pillion.jobs.helpers import JobHelpers, percentage

CSV = 'name,age\nann,1\nbob,2\n"eve\nadams",3\n'


def resumes_everywhere(make):
    """Whatever item is the last, the rest begins with that very item; every cursor is JSON. Returns all pairs."""
    pairs = list(make(None))
    for index, (_, cursor) in enumerate(pairs):
        again = json.loads(json.dumps(cursor))
        assert again == cursor
        assert list(make(again)) == pairs[index:]
    return pairs


@pytest.mark.parametrize("items", [["a", "b", "c"], ("a", "b", "c"), range(3)])
def test_a_sequence(items):
    pairs = resumes_everywhere(lambda cursor: sequence(items, cursor))
    assert pairs == list(zip(items, range(3), strict=True))
    assert sequence(items, 2).size() == 3


def test_a_sequence_that_has_become_shorter_is_at_its_end():
    assert list(sequence([1, 2], 5)) == []


@pytest.mark.parametrize("items", [{1, 2}, iter([1]), {"a": 1}, "abc", b"abc", 5, None])
def test_what_has_no_positions_is_no_sequence(items):
    with pytest.raises(ConfigError, match="sequence: expected a list, tuple or range"):
        sequence(items, None)


@pytest.mark.parametrize("cursor", ["a", -1, 1.5, True, [1]])
def test_a_cursor_of_something_else_is_refused(cursor, tmp_path):
    for make in (lambda: sequence([1], cursor), lambda: counted([1], cursor), lambda: lines(tmp_path / "x", cursor)):
        with pytest.raises(ConfigError, match="cursor: expected a position"):
            make()


@pytest.mark.parametrize("items", [{1, 2}, frozenset("ab")])
def test_a_set_cannot_be_counted(items):
    with pytest.raises(ConfigError, match="counted: expected the same order each time"):
        counted(items, None)


def test_any_iterable_counted():
    pairs = resumes_everywhere(lambda cursor: counted((letter for letter in "abc"), cursor))
    assert pairs == [("a", 0), ("b", 1), ("c", 2)]
    assert counted(iter("abc"), None).size() is None


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_a_file_by_their_byte(tmp_path, end):
    path = tmp_path / "names.txt"
    path.write_bytes(end.join(["Ann", "Zoë ☃", "", "last"]).encode())
    pairs = resumes_everywhere(lambda cursor: lines(path, cursor))
    assert [line for line, _ in pairs] == ["Ann", "Zoë ☃", "", "last"]
    assert path.read_bytes()[pairs[1][1] :].startswith("Zoë".encode())
    assert lines(path, None).size() == 4


def test_lines_that_are_appended_meanwhile_are_read_too(tmp_path):
    path = tmp_path / "log"
    path.write_text("a\n")
    found = lines(str(path), None)
    assert next(found) == ("a", 0)
    with path.open("a") as file:
        file.write("b\n")
    assert list(found) == [("b", 2)]


def test_lines_in_another_encoding(tmp_path):
    path = tmp_path / "old"
    path.write_bytes("Zoë\n".encode("latin-1"))
    assert list(lines(path, None, encoding="latin-1")) == [("Zoë", 0)]


def test_a_file_is_closed_with_its_enumerator(tmp_path):
    path = tmp_path / "x"
    path.write_text("a\nb\n")
    for found in (lines(path, None), csv_rows(path, None, headers=False)):
        next(found)
        found.close()
        assert list(found) == []
    gc.collect()  # an open file would be a ResourceWarning, which is an error in these tests


def test_rows_of_a_csv_file(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("\ufeff" + CSV)
    pairs = resumes_everywhere(lambda cursor: csv_rows(path, cursor))
    assert pairs == [
        ({"name": "ann", "age": "1"}, 0),
        ({"name": "bob", "age": "2"}, 1),
        ({"name": "eve\nadams", "age": "3"}, 2),
    ]
    (tmp_path / "short.csv").write_text("name\nann\nbob\n")
    assert csv_rows(tmp_path / "short.csv", None).size() == 2
    assert csv_rows(tmp_path / "short.csv", None, headers=False).size() == 3


def test_rows_without_headers_and_with_another_delimiter():
    text = ["a;1", "b;2"]
    pairs = resumes_everywhere(lambda cursor: csv_rows(text, cursor, headers=False, delimiter=";"))
    assert pairs == [(["a", "1"], 0), (["b", "2"], 1)]
    assert csv_rows(text, None).size() is None


def test_batches_of_a_csv_file(tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("n\n" + "".join(f"{n}\n" for n in range(250)))
    pairs = resumes_everywhere(lambda cursor: csv_batches(path, cursor))
    assert [(len(batch), cursor) for batch, cursor in pairs] == [(100, 0), (100, 1), (50, 2)]
    assert pairs[2][0][0] == {"n": "200"}
    assert csv_batches(path, None).size() == 3
    assert csv_batches(path, None, 50).size() == 5
    assert csv_batches(path, 1, 200, headers=False).size() == 2
    assert csv_batches(["a", "b"], None).size() is None


@pytest.mark.parametrize("size", [0, -1, True, "5", 1.5])
def test_a_batch_has_at_least_one_row(size):
    with pytest.raises(ConfigError, match="size: expected a whole number of 1 or more"):
        csv_batches([], None, size)
    with pytest.raises(ConfigError, match="size"):
        each_batch([], size)


# -- helpers -----------------------------------------------------------------------------------------------


def test_each_batch_of_a_stream_takes_only_what_is_asked_for():
    taken = []
    stream = (taken.append(n) or n for n in range(10))
    batches = each_batch(stream, 4)
    assert next(batches) == [0, 1, 2, 3]
    assert taken == [0, 1, 2, 3]
    assert list(batches) == [[4, 5, 6, 7], [8, 9]]


def test_each_batch_collects_garbage_every_so_many_items(monkeypatch):
    collected = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(True))
    for batch in each_batch(range(10_000), 500, gc_every=1000):
        assert len(batch) == 500
    assert len(collected) == 10
    with pytest.raises(ConfigError, match="gc_every"):
        each_batch([], 1, gc_every=0)


def test_each_batch_needs_something_to_go_through():
    with pytest.raises(ConfigError, match="source: expected a query or an iterable"):
        each_batch(5)


def test_batched_pauses_between_slices_only():
    pauses = []
    sizes = [len(batch) for batch in JobHelpers().batched(range(2500), 1000, pause=0.1, sleep=pauses.append)]
    assert sizes == [1000, 1000, 500]
    assert pauses == [0.1, 0.1]
    assert list(JobHelpers.batched([], 1000, pause=0.1, sleep=pauses.append)) == []
    assert list(JobHelpers.batched(range(1000), 1000, pause=0.1, sleep=pauses.append)) == [list(range(1000))]
    assert pauses == [0.1, 0.1]


@pytest.mark.parametrize(("size", "pause"), [(0, 0.0), (True, 0.0), ("5", 0.0), (5, -1.0), (5, float("nan"))])
def test_batched_refuses_what_cannot_be_right(size, pause):
    with pytest.raises(ConfigError):
        JobHelpers.batched([], size, pause=pause)


@pytest.mark.parametrize(
    ("at", "total", "percent"),
    [(1, 3, 33.33), (2, 3, 66.67), (0, 5, 0.0), (5, 5, 100.0), (7, 5, 100.0), (-1, 5, 0.0), (0, 0, 100.0)],
)
def test_percentages(at, total, percent):
    assert percentage(at, total) == percent


def test_outside_of_a_worker_progress_is_only_counted():
    class Plain(JobHelpers): ...

    assert Plain().progress(1, 3) == 33.33
    assert Progress.get.explain() == "GET; O(1); 1 round trip"
