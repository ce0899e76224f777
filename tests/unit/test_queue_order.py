import random
from collections import Counter

from pillion.config import Capsule, QueueSpec
from pillion.server.queue_order import queue_order


def _order(*queues: QueueSpec):
    capsule = Capsule("c", list(queues))
    return queue_order(capsule.queues, capsule.mode, random.Random(7))


def test_unweighted_queues_are_tried_in_the_order_declared():
    order = _order(QueueSpec("high"), QueueSpec("default"), QueueSpec("low"))
    assert {tuple(order()) for _ in range(50)} == {(0, 1, 2)}


def test_queues_of_weight_one_are_shuffled_evenly():
    order = _order(QueueSpec("a", 1), QueueSpec("b", 1), QueueSpec("c", 1))
    first = Counter(order()[0] for _ in range(6000))
    assert all(1800 < first[index] < 2200 for index in range(3))


def test_a_queue_comes_first_with_the_probability_of_its_weight():
    order = _order(QueueSpec("a", 3), QueueSpec("b", 2), QueueSpec("c", 1))
    first = Counter(order()[0] for _ in range(6000))
    assert (abs(first[0] - 3000), abs(first[1] - 2000), abs(first[2] - 1000)) < (200, 200, 200)


def test_every_queue_is_in_every_order_so_none_starves():
    order = _order(QueueSpec("a", 9), QueueSpec("b", 1), QueueSpec("c", 0))
    assert all(sorted(order()) == [0, 1, 2] for _ in range(500))
