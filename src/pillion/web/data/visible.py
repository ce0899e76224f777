"""Visible: a job as one viewer may see it. Rows are made of it, and searches look at nothing else. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from pillion.api.record import JobData
from pillion.web.data.fingerprints import fingerprint, pattern_of
from pillion.web.data.models import ErrorFacts, JobRow, Place, Shown
from pillion.web.data.redaction import HIDDEN, Redact, redacted, show_all
from pillion.web.data.texts import HIDDEN_TEXT, clean, cut_off, json_text, short, shown

_MOST_TAGS: Final = 20
_CONTEXT: Final = "cattr"
_DEFAULT_RETRIES: Final = 25


class Visible:
    """What of a job may be seen.

    `everything`: nothing is cut. `size_bytes` is that of its payload, `score` its time in a set.
    """

    def __init__(
        self,
        job: JobData,
        redact: Redact = show_all,
        *,
        everything: bool = False,
        size_bytes: int | None = None,
        score: float | None = None,
    ) -> None:
        self.job = job
        self.score = score
        self.size_bytes = len(job.value) if size_bytes is None else size_bytes
        self._redact = redact
        self._everything = everything

    def value(self, field: str, value: Any) -> Any:
        """What may be seen of a value: HIDDEN, or what there is in its place."""
        return redacted(self._redact, self.job, field, value)

    def text(self, field: str, value: Any) -> Shown:
        """The same as a text: texts as they are, everything else as JSON."""
        allowed = self.value(field, value)
        if allowed is HIDDEN:
            return HIDDEN_TEXT
        return shown(allowed if isinstance(allowed, str) else json_text(allowed), everything=self._everything)

    @cached_property
    def label(self) -> str:
        """The class as a person names it."""
        return short(self.job.display_class)

    @cached_property
    def args(self) -> Any:
        """The arguments that may be seen, or HIDDEN."""
        if self.job.is_readable:
            return self.value("args", self.job.display_args)
        return self.value("payload", self.job.args[0])

    @cached_property
    def args_text(self) -> str:
        """The same as text; "" if they are hidden."""
        if self.args is HIDDEN:
            return ""
        return self.args if isinstance(self.args, str) else json_text(self.args)

    @cached_property
    def message(self) -> str | None:
        """What the error said; None if it may not be seen, "" if it said nothing."""
        allowed = self.value("error_message", self.job.error_message or "")
        return None if allowed is HIDDEN else str(allowed)

    @cached_property
    def error_text(self) -> str:
        """Class and message of the error, as `Class: message`."""
        error_class = self.job.error_class
        return f"{error_class}: {self.message or ''}" if error_class else ""

    @cached_property
    def fingerprint(self) -> str:
        """That of its error, "" without one. Of the whole message: the words cannot be read from it."""
        error_class = self.job.error_class
        if not error_class:
            return ""
        return fingerprint(self.job.display_class, error_class, pattern_of(self.job.error_message or ""))

    @cached_property
    def all_text(self) -> str:
        """Everything in it that may be seen."""
        parts = (self.job.display_class, self.job.job_class, self.job.jid, self.job.queue, *self.job.tags)
        return "\n".join((*parts, self.args_text, self.error_text))

    # -- rows ------------------------------------------------------------------------------------------

    def row(self, place: Place, key: str = "") -> JobRow:
        """The job in a list."""
        job = self.job
        return JobRow(
            key=key,
            jid=short(job.jid),
            label=self.label,
            job_class=short(job.job_class),
            queue=short(job.queue),
            args=self._shown_args(),
            place=place,
            tags=tuple(short(tag, 60) for tag in job.tags[:_MOST_TAGS]),
            context=self.context,
            created_at=job.created_at,
            enqueued_at=job.enqueued_at,
            error=self.error,
            tries=None if job.retry_count is None else job.retry_count + 1,
            max_tries=max_tries(job),
            size_bytes=self.size_bytes,
            is_readable=job.is_readable,
        )

    @property
    def error(self) -> ErrorFacts | None:
        """What it failed with."""
        job = self.job
        if not job.error_class and not job.error_message:
            return None
        message = HIDDEN_TEXT if self.message is None else shown(self.message, everything=self._everything)
        return ErrorFacts(short(job.error_class or ""), message, self.fingerprint, job.failed_at, job.retried_at)

    @property
    def context(self) -> Shown | None:
        """What was current when it was pushed; None if it carries nothing."""
        found = {key: value for key, value in self.job.item.items() if key == _CONTEXT or key.startswith("cattr_")}
        if not any(found.values()):
            return None
        return self.text("context", next(iter(found.values())) if len(found) == 1 else list(found.values()))

    def _shown_args(self) -> Shown:
        if self.args is HIDDEN:
            return HIDDEN_TEXT
        if self.size_bytes > len(self.job.value):
            return cut_off(clean(self.args_text), self.size_bytes)
        return shown(self.args_text, everything=self._everything)


def max_tries(job: JobData) -> int | None:
    """How often a job may run before it is dead; None if it does not say."""
    retry = job["retry"]
    if isinstance(retry, bool):
        return _DEFAULT_RETRIES + 1 if retry else 1
    return retry + 1 if isinstance(retry, int) and 0 <= retry < 10**6 else None
