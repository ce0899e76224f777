from pillion.server.prefetch import MAX_JOBS, Pace


def test_nothing_is_prefetched_before_anything_was_measured():
    assert Pace().batch(free=10, threads=10) == 10


def test_short_jobs_are_prefetched_up_to_20_ms_of_work():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.1)  # 10,000 jobs/s: 200 in 20 ms
    assert pace.batch(free=1, threads=10) == 201


def test_jobs_of_50_ms_are_never_prefetched():
    pace = Pace()
    pace.observe(finished=200, elapsed_s=1.0)  # 10 threads, 50 ms each
    assert pace.batch(free=3, threads=10) == 3


def test_a_slowdown_is_believed_at_once():
    pace = Pace()
    pace.observe(finished=10_000, elapsed_s=0.1)
    pace.observe(finished=1, elapsed_s=1.0)
    assert pace.batch(free=2, threads=10) == 2


def test_one_fetch_is_bounded_however_fast_the_jobs_are():
    pace = Pace()
    pace.observe(finished=1_000_000, elapsed_s=0.1)
    assert pace.batch(free=1, threads=10) == MAX_JOBS


def test_all_free_threads_get_a_job_even_beyond_the_bound():
    pace = Pace()
    pace.observe(finished=1_000_000, elapsed_s=0.1)
    assert pace.batch(free=800, threads=1000) == 800


def test_an_idle_process_forgets_its_pace():
    pace = Pace()
    pace.observe(finished=1000, elapsed_s=0.01)
    pace.forget()
    assert pace.batch(free=4, threads=10) == 4
