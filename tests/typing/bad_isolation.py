"""What a type checker must refuse of jobs in processes, on exactly the lines marked. Never executed."""

from pillion import Config, Job, job


class Fork(Job, execution="fork"):  # E
    def perform(self) -> None: ...


class Text(Job, execution="process", hard_timeout_s="60"):  # E
    def perform(self) -> None: ...


class Report(Job, execution="process"):
    def perform(self, year: int) -> None: ...


Report.set(execution=True)  # E
Report.set(hard_timeout_s="soon")  # E
Report.set(execution="thread").perform_async("2026")  # E

job(execution="coroutine")  # E

config = Config()
config.child_processes = "4"  # E
config.on("child_end", lambda: None)  # E
