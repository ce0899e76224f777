"""What a type checker must accept of jobs in processes. Run by test_types.py; never executed."""

from datetime import timedelta
from typing import assert_type

from pillion import ChildDied, Config, HardTimeout, IterableJob, Job, job


class Report(Job, execution="process", hard_timeout_s=60):
    def perform(self, year: int) -> None: ...

    @staticmethod
    def retry_in(count: int, exc: BaseException, payload: dict[str, object]) -> str | None:
        if isinstance(exc, ChildDied):
            assert_type(exc.end, str)
        return "kill" if isinstance(exc, HardTimeout) and exc.hard_timeout_s > 30 else None


class Crawl(IterableJob[int, int], execution="process", hard_timeout_s=timedelta(hours=1)):
    pass


@job(execution="process", hard_timeout_s=1.5)
async def resize(path: str) -> int:
    return len(path)


assert_type(Report.perform_async(2026), str | None)
assert_type(Report.set(execution="thread").perform_async(2026), str | None)
assert_type(resize.set(execution="process", hard_timeout_s=timedelta(minutes=1)).perform_async("a"), str | None)

config = Config(child_processes=4)
config.max_jobs_per_child = 100
config.max_rss_mb_per_child = None
config.on("child_start", lambda: None)
config.on("child_exit", lambda: None)
