from pillion.server.prefetch import LOW_MOST, MAX_JOBS, Pace


def test_nothing_is_prefetched_before_anything_was_measured():
    assert Pace().batch(free=10, threads=10, buffered=0) == 10


def test_short_jobs_are_prefetched_up_to_20_ms_of_work():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)  # 10,000 jobs/s: 200 in 20 ms
    assert pace.batch(free=1, threads=10, buffered=0) == 201


def test_jobs_of_50_ms_are_never_prefetched():
    pace = Pace()
    pace.observe(finished=200, elapsed_s=1.0)  # 10 threads, 50 ms each
    assert pace.batch(free=3, threads=10, buffered=0) == 3


def test_a_slowdown_is_believed_at_once():
    pace = Pace()
    pace.observe(finished=10_000, elapsed_s=0.1)
    pace.observe(finished=1, elapsed_s=1.0)
    assert pace.batch(free=2, threads=10, buffered=0) == 2


def test_one_fetch_is_bounded_however_fast_the_jobs_are():
    pace = Pace()
    pace.observe(finished=1_000_000, elapsed_s=0.1)
    assert pace.batch(free=1, threads=10, buffered=0) == MAX_JOBS


def test_all_free_threads_get_a_job_even_beyond_the_bound():
    pace = Pace()
    pace.observe(finished=1_000_000, elapsed_s=0.1)
    assert pace.batch(free=800, threads=1000, buffered=0) == 800


def test_an_idle_process_forgets_its_pace():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.01)
    pace.forget()
    assert pace.batch(free=4, threads=10, buffered=0) == 4


def test_what_is_buffered_already_is_part_of_the_bet():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)
    assert pace.batch(free=1, threads=10, buffered=50) == 151
    assert pace.batch(free=0, threads=10, buffered=1000) == 0


def test_the_next_fetch_is_due_when_twice_its_time_of_work_is_left():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)
    pace.took(0.002)
    pace.took(0.001)  # 1 ms on average: 10 jobs
    assert pace.low(threads=10, takers=10) == 20


def test_the_next_fetch_is_not_due_before_half_of_the_bet_is_done():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)
    pace.took(0.012)  # 6 ms on average: 60 jobs
    assert pace.low(threads=10, takers=10) == 100


def test_the_next_fetch_is_bounded_as_well():
    pace = Pace()
    pace.observe(finished=1_000_000, elapsed_s=0.1)
    pace.took(0.004)
    assert pace.low(threads=10, takers=10) == LOW_MOST


def test_nothing_is_fetched_ahead_of_slow_jobs():
    pace = Pace()
    pace.observe(finished=200, elapsed_s=1.0)
    pace.took(0.001)
    assert pace.low(threads=10, takers=10) == 0


def test_nothing_is_fetched_ahead_from_a_redis_that_is_far_away():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)
    pace.took(0.014)  # 7 ms on average, more than a third of 20: the batches would be small, and each costs 7 ms
    assert pace.low(threads=10, takers=10) == 0


def test_a_thread_that_is_alone_fetches_nothing_ahead():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)
    pace.took(0.002)
    assert pace.low(threads=10, takers=1) == 0
