"""A job as the data API shows it: its bytes, read with all patience (wire-format 4 and 15). No I/O."""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from pillion.api.display import shown_args, shown_class
from pillion.errors import DecodeError
from pillion.wire import backtrace, codec
from pillion.wire.timestamps import to_seconds


class JobData:
    """What a payload says. Anything may be missing or of a wrong type in it; nothing here raises.

    `value` is the stored payload, exactly. `item` is the payload as a map; empty if `value` is no job:
    then `args` holds its text, for a person to look at. Times are epoch seconds (float), or None.
    """

    def __init__(self, value: bytes, queue: str | None = None) -> None:
        self.value = value
        self._queue = queue

    @cached_property
    def item(self) -> dict[str, Any]:
        """The payload; empty if it cannot be read."""
        try:
            return codec.loads_job(self.value)
        except DecodeError:
            return {}

    @property
    def is_readable(self) -> bool:
        """Whether the bytes are a job at all."""
        return bool(self.item)

    @property
    def queue(self) -> str:
        """The queue it lies in, or the one it says that it belongs to; "" if it does not say."""
        return self._queue if self._queue is not None else self._text("queue")

    @property
    def job_class(self) -> str:
        """The class that runs it, a wrapper perhaps; "" if there is none. Sidekiq's `klass`."""
        return self._text("class")

    @cached_property
    def display_class(self) -> str:
        """The class a person would name: what is inside a wrapper, or what `display_class` says."""
        return shown_class(self.item)

    @property
    def args(self) -> list[Any]:
        """The arguments as stored."""
        if not self.is_readable:
            return [self.value.decode(errors="replace")]
        args = self.item.get("args")
        return args if isinstance(args, list) else []  # pyright: ignore[reportUnknownVariableType]

    @cached_property
    def display_args(self) -> list[Any]:
        """The arguments for a person: without a wrapper's bookkeeping, an encrypted one masked."""
        return shown_args(self.item) if self.is_readable else self.args

    @property
    def jid(self) -> str:
        """The job's id; "" if there is none."""
        return self._text("jid")

    @property
    def bid(self) -> str | None:
        """The id of its batch."""
        return self._text("bid") or None

    @property
    def tags(self) -> list[str]:
        """Its tags."""
        tags = self.item.get("tags")
        return [str(tag) for tag in cast("list[object]", tags)] if isinstance(tags, list) else []

    @property
    def created_at(self) -> float | None:
        """When it was pushed first; where that is unknown, when it entered its queue."""
        created = to_seconds(self.item.get("created_at"))
        return self.enqueued_at if created is None else created

    @property
    def enqueued_at(self) -> float | None:
        """When it entered its queue last; None if it never did."""
        return to_seconds(self.item.get("enqueued_at"))

    @property
    def failed_at(self) -> float | None:
        """When it failed first."""
        return to_seconds(self.item.get("failed_at"))

    @property
    def retried_at(self) -> float | None:
        """When it failed last, if it failed more than once."""
        return to_seconds(self.item.get("retried_at"))

    @property
    def retry_count(self) -> int | None:
        """How often it was tried again; 0 after the first failure, None before."""
        count = self.item.get("retry_count")
        return count if isinstance(count, int) and not isinstance(count, bool) else None

    @property
    def error_class(self) -> str | None:
        """The class of the exception that it failed with."""
        return self._text("error_class") or None

    @property
    def error_message(self) -> str | None:
        """What that exception said."""
        message = self.item.get("error_message")
        return message if isinstance(message, str) else None

    @cached_property
    def error_backtrace(self) -> list[str]:
        """The stored lines of its backtrace, innermost first; none where none were stored or they are unreadable."""
        return backtrace.expand(self.item.get("error_backtrace"))

    def waited_s(self, now_s: float) -> float:
        """Seconds since it entered its queue (else: since it was pushed); 0.0 if neither is known."""
        since = self.enqueued_at
        since = self.created_at if since is None else since
        return 0.0 if since is None else max(0.0, now_s - since)

    def __getitem__(self, key: str) -> Any:
        """The value of any key of the payload; None if it is not there."""
        return self.item.get(key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobData) and type(other) is type(self) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        name = self.display_class or "unreadable job"
        return f"<{type(self).__name__} {name} {self.jid}>".replace(" >", ">")

    def _text(self, key: str) -> str:
        value = self.item.get(key)
        return value if isinstance(value, str) else ""
