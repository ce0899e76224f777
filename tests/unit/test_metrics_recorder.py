"""What is counted of each run, by thread and by class (wire-format 8.3)."""

import threading

import pytest

from pillion.errors import Interrupted, JobArgumentError, Shutdown
from pillion.features.metrics import recorder as recorders
from pillion.features.metrics.recorder import Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def job(name: str = "HardJob", **more: object) -> dict[str, object]:
    return {"class": name, "args": [], **more}


def filled(counts) -> dict[int, int]:
    return {bucket: amount for bucket, amount in enumerate(counts.histogram) if amount}


def test_a_run_counts_with_its_time_and_its_bucket(recorder):
    recorder.observe(job(), 0.031, None)
    counts = recorder.take()["HardJob"]
    assert (counts.runs, counts.failed, counts.time_ms, filled(counts)) == (1, 0, 31, {2: 1})


@pytest.mark.parametrize("error", [ValueError(), JobArgumentError(), Shutdown(), SystemExit()])
def test_a_failed_run_counts_without_its_time(recorder, error):
    recorder.observe(job(), 0.5, error)
    counts = recorder.take()["HardJob"]
    assert (counts.runs, counts.failed, counts.time_ms, filled(counts)) == (1, 1, 0, {})


def test_a_run_that_stopped_on_purpose_has_not_failed(recorder):
    recorder.observe(job(), 0.5, Interrupted())
    counts = recorder.take()["HardJob"]
    assert (counts.runs, counts.failed, counts.time_ms) == (1, 0, 500)


def test_nine_failures_and_a_success_are_ten_runs(recorder):
    for _ in range(9):
        recorder.observe(job(), 0.01, ValueError())
    recorder.observe(job(), 0.01, None)
    counts = recorder.take()["HardJob"]
    assert counts.failed / counts.runs == 0.9


def test_exactly_20_ms_is_in_the_second_bucket(recorder):
    recorder.observe(job(), 0.019999, None)
    recorder.observe(job(), 0.020, None)
    assert filled(recorder.take()["HardJob"]) == {0: 1, 1: 1}


def test_many_short_runs_add_up_to_milliseconds(recorder):
    for _ in range(4000):
        recorder.observe(job(), 0.00025, None)
    assert recorder.take()["HardJob"].time_ms in (999, 1000)


def test_parts_of_a_millisecond_are_not_lost_between_two_takes(recorder):
    total_ms = 0
    for _ in range(16):
        recorder.observe(job(), 0.00025, None)
        total_ms += recorder.take()["HardJob"].time_ms
    assert total_ms in (3, 4)


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (job("Wrapper", wrapped="SendMail"), "SendMail"),
        (job(wrapped=""), "HardJob"),
        (job(wrapped=None), "HardJob"),
        (job(wrapped=["odd"]), "HardJob"),
        (job("a|b"), "a|b"),
        ({"args": []}, ""),
    ],
)
def test_the_class_is_the_one_inside_a_wrapper(recorder, payload, name):
    recorder.observe(payload, 0.01, None)
    recorder.observe(payload, 0.01, None)
    assert {known: counts.runs for known, counts in recorder.take().items()} == {name: 2}


def test_a_take_has_only_what_is_new(recorder):
    recorder.observe(job("Once"), 0.05, None)
    recorder.observe(job("Again"), 0.05, None)
    recorder.take()
    recorder.observe(job("Again"), 0.001, ValueError())
    (name, counts), *others = recorder.take().items()
    assert (name, counts.runs, counts.failed, others) == ("Again", 1, 1, [])
    assert recorder.take() == {}


def test_no_run_of_many_threads_is_lost_or_doubled_while_another_takes(recorder):
    threads, rounds = 16, 20_000
    sums = {"runs": 0, "failed": 0, "classes": set()}
    go = threading.Event()

    def work(number: int) -> None:
        go.wait()
        for turn in range(rounds):
            recorder.observe(job(f"Job{turn % 3}"), 0.001 * (turn % 40), ValueError() if turn % 4 == 0 else None)

    def take() -> None:
        for name, counts in recorder.take().items():
            sums["runs"] += counts.runs
            sums["failed"] += counts.failed
            sums["classes"].add(name)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    go.set()
    while any(worker.is_alive() for worker in workers):
        take()
    take()
    assert sums == {"runs": threads * rounds, "failed": threads * rounds // 4, "classes": {"Job0", "Job1", "Job2"}}


def test_the_counts_of_a_thread_that_has_ended_are_taken_and_then_let_go(recorder):
    thread = threading.Thread(target=recorder.observe, args=(job(), 0.01, None))
    thread.start()
    thread.join()
    assert recorder.take()["HardJob"].runs == 1
    assert recorder._tallies == []


def test_a_flood_of_class_names_is_counted_and_then_forgotten(recorder, monkeypatch):
    monkeypatch.setattr(recorders, "MAX_CLASSES", 10)
    for number in range(95):
        recorder.observe(job("Wrapper", wrapped=f"Made{number}"), 0.01, None)
    assert sum(counts.runs for counts in recorder.take().values()) == 95
    assert [len(tally.cells) for tally in recorder._tallies] == [5]
