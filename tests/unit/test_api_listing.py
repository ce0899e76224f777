"""Paging through a list that changes: nothing that is there all the time is missed."""

from hypothesis import given
from hypothesis import strategies as st

from pillion.api.listing import FIRST_PAGE, MOST_ENTRIES, OVERLAP, PAGE_BYTES, WINDOW, Walk, next_size


class Queue:
    """LLEN and LRANGE of a list in memory; index 0 is the newest."""

    def __init__(self, count: int, size: int = 10) -> None:
        self.size = size
        self.entries = [self._entry(f"old{i}") for i in range(count)]
        self.made = 0

    def _entry(self, name: str) -> bytes:
        return name.encode().ljust(self.size, b".")

    def push(self, count: int = 1) -> None:
        for _ in range(count):
            self.made += 1
            self.entries.insert(0, self._entry(f"new{self.made}"))

    def pop(self, count: int = 1) -> None:
        del self.entries[max(0, len(self.entries) - count) :]

    def lrange(self, start: int, stop: int) -> list[bytes]:
        length = len(self.entries)
        start = max(0, start + length) if start < 0 else start
        stop = stop + length if stop < 0 else stop
        return self.entries[start : stop + 1] if stop >= 0 else []


def step(walk: Walk, queue: Queue) -> list[bytes]:
    return walk.take(len(queue.entries), queue.lrange(*walk.bounds()))


def rest(walk: Walk, queue: Queue) -> list[bytes]:
    seen = []
    while not walk.is_done:
        seen += step(walk, queue)
    return seen


def test_a_quiet_list_is_seen_once_from_head_to_tail():
    queue = Queue(3210)
    assert rest(Walk(), queue) == queue.entries


def test_an_empty_list_is_done_after_one_look():
    walk = Walk()
    assert not walk.is_done
    assert step(walk, Queue(0)) == []
    assert walk.is_done


def test_it_can_begin_in_the_middle():
    queue = Queue(500)
    assert rest(Walk(120), queue) == queue.entries[-120:]


def test_identical_entries_of_one_page_are_two_jobs():
    queue = Queue(2)
    queue.entries = [b"same", b"same"]
    assert rest(Walk(), queue) == [b"same", b"same"]


def test_pushes_at_the_head_neither_hide_nor_double_anything():
    queue, walk = Queue(1000), Walk()
    there = list(queue.entries)
    seen = step(walk, queue)
    while not walk.is_done:
        queue.push(700)
        seen += step(walk, queue)
    assert [entry for entry in seen if entry in set(there)] == there


def test_deleting_all_that_was_seen_hides_nothing():
    queue, walk, seen = Queue(1000), Walk(), []
    there = list(queue.entries)
    while not walk.is_done:
        page = step(walk, queue)
        seen += page
        queue.entries = [entry for entry in queue.entries if entry not in set(page)]
    assert (seen, queue.entries) == (there, [])


def test_jobs_taken_from_the_tail_double_nothing():
    queue, walk = Queue(5000), Walk()
    seen = step(walk, queue)
    while not walk.is_done:
        queue.pop(300)
        seen += step(walk, queue)
    assert len(seen) == len(set(seen))
    assert set(queue.entries) <= set(seen)


def test_a_list_that_was_emptied_and_filled_again_is_done_soon():
    queue, walk = Queue(100_000), Walk()
    step(walk, queue)
    queue.pop(100_000)
    queue.push(10)
    assert set(rest(walk, queue)) <= set(queue.entries)


def test_a_few_jobs_put_back_at_the_tail_hide_nothing():
    queue, walk = Queue(5000), Walk()
    there = list(queue.entries)
    seen = step(walk, queue)
    while not walk.is_done:
        queue.entries += [f"back{len(queue.entries)}-{i}".encode() for i in range(min(OVERLAP, len(seen), 50))]
        seen += step(walk, queue)
    assert [entry for entry in seen if entry in set(there)] == there


changes = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 400), st.lists(st.integers(0, 10_000), max_size=20)), max_size=40
)


@given(st.integers(0, 3000), changes)
def test_whatever_happens_what_was_there_throughout_is_seen_exactly_once(count, changes):
    queue, walk, seen = Queue(count), Walk(), []
    there = list(queue.entries)
    for pushed, popped, deleted in changes:
        if walk.is_done:
            break
        seen += step(walk, queue)
        queue.push(pushed)
        queue.pop(popped)
        for index in deleted:
            if index < len(queue.entries):
                del queue.entries[index]
    left = set(queue.entries)
    seen += rest(walk, queue)
    throughout = [entry for entry in there if entry in left]
    assert [entry for entry in seen if entry in set(throughout)] == throughout


def test_what_it_remembers_is_bounded():
    queue, walk = Queue(WINDOW * 3), Walk()
    rest(walk, queue)
    assert len(walk._seen) <= WINDOW
    assert len(walk._order) <= WINDOW


# -- how large a page is ---------------------------------------------------------------------------


def test_pages_of_small_entries_grow_to_the_most():
    size, sizes = FIRST_PAGE, []
    for _ in range(6):
        size = next_size(size, size, 300 * size)
        sizes.append(size)
    assert sizes == [100, 200, 400, 800, MOST_ENTRIES, MOST_ENTRIES]


def test_pages_of_large_entries_shrink_to_about_a_megabyte():
    assert next_size(1000, 1000, 1000 * 20_000) == PAGE_BYTES // 20_000


def test_a_page_has_an_entry_however_large():
    assert next_size(50, 1, 500_000_000) == 1


def test_an_empty_page_says_nothing_about_sizes():
    assert next_size(400, 0, 0) == 400


def test_the_overlap_of_large_entries_is_small_too():
    queue, walk = Queue(200, size=PAGE_BYTES // 2), Walk()
    step(walk, queue)
    start, stop = walk.bounds()
    assert stop - start + 1 <= 2 * 2
