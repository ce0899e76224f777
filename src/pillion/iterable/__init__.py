"""Jobs that go through many items and can be interrupted between any two; and what they can go through."""

from pillion.iterable.enumerators import Enumerator as Enumerator
from pillion.iterable.enumerators import counted as counted
from pillion.iterable.enumerators import csv_batches as csv_batches
from pillion.iterable.enumerators import csv_rows as csv_rows
from pillion.iterable.enumerators import lines as lines
from pillion.iterable.enumerators import sequence as sequence
from pillion.iterable.job import IterableJob as IterableJob

__all__ = ["Enumerator", "IterableJob", "counted", "csv_batches", "csv_rows", "lines", "sequence"]
