"""Workers of both languages on the same queues at once."""

from collections import Counter
from threading import Thread

JOBS = 10_000
QUEUES = ("high", "low")


SLICE = 250
SINGLE = 50  # of each slice are pushed one by one


def slices(numbers, pusher):
    """(queue, arguments of so many jobs), the queues by turns."""
    for index, start in enumerate(range(0, len(numbers), SLICE)):
        yield QUEUES[index % len(QUEUES)], [[n, pusher] for n in numbers[start : start + SLICE]]


def push_by_pillion(both, numbers):
    for queue, args in slices(numbers, "pillion"):
        both.client.push_bulk({"class": "Echo", "queue": queue, "args": args[SINGLE:]})
        for one in args[:SINGLE]:
            both.push("Echo", *one, queue=queue)


def push_by_ruby(both, numbers):
    for queue, args in slices(numbers, "ruby"):
        both.ruby("Sidekiq::Client.push_bulk(item); nil", item={"class": "Echo", "queue": queue, "args": args[SINGLE:]})
        code = "args.each { |one| Sidekiq::Client.push('class' => 'Echo', 'queue' => queue, 'args' => one) }; nil"
        both.ruby(code, queue=queue, args=args[:SINGLE])


def test_ten_thousand_jobs_run_exactly_once_and_no_trace_is_left(both):
    for run in (both.start_ruby(*QUEUES, concurrency=5), both.start_pillion(*QUEUES, concurrency=5)):
        both.identity(run)
    pushes = [
        Thread(target=push_by_pillion, args=(both, range(0, JOBS, 2))),
        Thread(target=push_by_ruby, args=(both, range(1, JOBS, 2))),
    ]
    for push in pushes:
        push.start()
    for push in pushes:
        push.join()
    both.wait_until(lambda: int(both.raw.get("stat:processed") or 0) >= JOBS, "all counted")

    runs = both.ledger.runs
    assert sorted(run["args"][0] for run in runs) == list(range(JOBS))
    assert len({run["jid"] for run in runs}) == JOBS
    assert {run["by"] for run in runs} == {"ruby", "pillion"}
    assert Counter(run["args"][1] for run in runs) == {"ruby": JOBS / 2, "pillion": JOBS / 2}

    stats = "now = Sidekiq::Stats.new; [now.processed, now.failed, now.enqueued, now.retry_size, now.dead_size]"
    assert both.ruby(stats) == [JOBS, 0, 0, 0, 0]
    for path in ("/", "/busy", "/queues", "/retries", "/scheduled", "/morgue", "/stats"):
        both.ruby.look(path)  # whatever Pillion has left in Redis, no page of Ruby is disturbed by it
    left = [key for key in both.raw.keys("*") if b"inflight" in key or b":wait:" in key]
    assert [key for key in left if both.raw.type(key) in (b"hash", b"list")] == []
