"""Jobs that go through many items and can be interrupted between any two; and what they can go through."""

from pillion.iterable.enumerators import AsyncEnumerator as AsyncEnumerator
from pillion.iterable.enumerators import Enumerator as Enumerator
from pillion.iterable.enumerators import counted as counted
from pillion.iterable.enumerators import csv_batches as csv_batches
from pillion.iterable.enumerators import csv_rows as csv_rows
from pillion.iterable.enumerators import lines as lines
from pillion.iterable.enumerators import sequence as sequence
from pillion.iterable.job import IterableJob as IterableJob
from pillion.iterable.queries import batches as batches
from pillion.iterable.queries import each_batch as each_batch
from pillion.iterable.queries import find_each as find_each
from pillion.iterable.queries import records as records
from pillion.iterable.queries import relations as relations

__all__ = [
    "AsyncEnumerator",
    "Enumerator",
    "IterableJob",
    "batches",
    "counted",
    "csv_batches",
    "csv_rows",
    "each_batch",
    "find_each",
    "lines",
    "records",
    "relations",
    "sequence",
]
