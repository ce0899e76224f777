"""What a filter says: `class:Mail error:"not found" queue:low tag:vip args:881 try>=3 timeout`. Pure.

A word without a name must occur somewhere in the job; `"two words"` are one. All must be true. Nothing is a
pattern: texts are looked for literally, upper and lower case told apart.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pillion.web.data.visible import Visible

MOST_CHARS: Final = 1000
MOST_WORDS: Final = 20

_WORD: Final = re.compile(
    r'(?:(?P<name>[a-z]+)(?P<sign>:|>=|<=|=|>|<))?(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<plain>\S+))'
)
_SIGNS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    ":": operator.eq,
}
# What a text is in stored JSON, whoever wrote it: no escapes, no spaces between.
_SAME_EVERYWHERE: Final = re.compile(r"[A-Za-z0-9_.:-]+")

Check = Callable[[Visible], bool]


@dataclass(slots=True, frozen=True)
class Query:
    """A filter that was read.

    `words` are its parts as they are shown, `texts` what must occur in the stored bytes (each in the ways it may be
    written): necessary, not sufficient. `misread` are parts that mean nothing, each with a sentence. `checks` say
    what is meant; `since_at`: only jobs that failed at this time or later (epoch s).
    """

    text: str
    words: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[bytes, ...], ...] = ()
    checks: tuple[Check, ...] = ()
    misread: tuple[str, ...] = ()
    since_at: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it is every job."""
        return not self.checks

    def matches(self, job: Visible) -> bool:
        """Whether this job is meant, as far as its viewer may see it."""
        return all(check(job) for check in self.checks)

    def also(self, check: Check) -> Query:
        """The same with one more condition."""
        return replace(self, checks=(*self.checks, check))

    def failed_since(self, since_at: float) -> Query:
        """The same, of jobs that failed last at this time or later."""
        return replace(self.also(failed_since(since_at)), since_at=since_at)


@dataclass(slots=True)
class _Reading:
    words: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    texts: list[tuple[bytes, ...]] = field(default_factory=list[tuple[bytes, ...]])
    checks: list[Check] = field(default_factory=list[Check])
    misread: list[str] = field(default_factory=list[str])

    def add(self, name: str, value: str, check: Check, *, is_stored: bool = True) -> None:
        """Note a part; `is_stored`: its text occurs in the stored bytes of every job that is meant."""
        self.words.append((name, value))
        self.checks.append(check)
        if is_stored:
            self.texts.append(ways(value))


def read_query(text: str) -> Query:
    """Read what somebody typed. Never fails: what cannot be read is said in `misread`."""
    text = text[:MOST_CHARS].strip()
    found = _Reading()
    for number, part in enumerate(_WORD.finditer(text)):
        if number == MOST_WORDS:
            found.misread.append(f"Only the first {MOST_WORDS} words count.")
            break
        _read_word(part, found)
    return Query(text, tuple(found.words), tuple(found.texts), tuple(found.checks), tuple(found.misread))


def _read_word(part: re.Match[str], found: _Reading) -> None:
    name, sign = part["name"] or "", part["sign"] or ""
    value = _unquoted(part["quoted"]) if part["quoted"] is not None else part["plain"]
    if name in ("try", "tries"):
        _read_tries(sign, value, found)
    elif name == "jid" and sign == ":":
        found.add(name, value, lambda job: job.job.jid == value)
    elif name == "group" and sign == ":":
        found.add(name, value, lambda job: job.fingerprint == value, is_stored=False)
    elif name in _MEANINGS and sign == ":" and value:
        meaning = _MEANINGS[name]
        found.add(name, value, lambda job: meaning(job, value), is_stored=name != "queue")
    elif plain := part[0] if name else value:
        found.add("text", plain, lambda job: _within(plain, job.all_text))


def _read_tries(sign: str, value: str, found: _Reading) -> None:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        found.misread.append(f"try{sign}{value[:20]}: expected a number, as in try>=3.")
        return
    compare, wanted = _SIGNS[sign], int(value)

    def check(job: Visible) -> bool:
        count = job.job.retry_count
        return count is not None and compare(count + 1, wanted)

    found.add("tries", f"{'' if sign in (':', '=') else sign}{value}", check, is_stored=False)


def _within(value: str, text: str) -> bool:
    """Whether it occurs in a text, or as JSON has it: with backslashes before quotes and backslashes."""
    return value in text or json.dumps(value, ensure_ascii=False)[1:-1] in text


def _has_class(job: Visible, value: str) -> bool:
    return value in job.job.display_class or value in job.job.job_class


def _has_queue(job: Visible, value: str) -> bool:
    return job.job.queue == value


def _has_tag(job: Visible, value: str) -> bool:
    return value in job.job.tags


def _has_args(job: Visible, value: str) -> bool:
    return _within(value, job.args_text)


def _has_error(job: Visible, value: str) -> bool:
    return value in job.error_text


_MEANINGS: Final[Mapping[str, Callable[[Visible, str], bool]]] = {
    "class": _has_class,
    "queue": _has_queue,
    "tag": _has_tag,
    "args": _has_args,
    "error": _has_error,
}


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def quoted(name: str, value: str) -> str:
    """A part of a filter that says exactly this, such as `error:"not found"`."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}:"{escaped}"'


# -- how a text may be stored ----------------------------------------------------------------------------


def ways(text: str) -> tuple[bytes, ...]:
    """Bytes of which one occurs in every stored job with this text in it.

    JSON writes one text in many ways. So it is the longest part of it that all writers write alike; without such a
    part, the usual ways: as it is, and with escapes for what is not ASCII, for slashes, and for what HTML knows.
    """
    runs = [run.strip(":") for run in _SAME_EVERYWHERE.findall(text)]
    longest = max(runs, key=len, default="")
    if longest:
        return (longest.encode(),)
    plain, ascii_only = (json.dumps(text, ensure_ascii=flag)[1:-1] for flag in (False, True))
    usual = (plain, ascii_only, _upper_escapes(ascii_only), plain.replace("/", "\\/"), _html_escapes(plain))
    return tuple(dict.fromkeys(way.encode(errors="replace") for way in usual))


def _upper_escapes(text: str) -> str:
    return re.sub(r"\\u([0-9a-f]{4})", lambda found: f"\\u{found[1].upper()}", text)


def _html_escapes(text: str) -> str:
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def after(now_s: float, window: str) -> float | None:
    """The time from which on a window such as "24h" counts; None for all time."""
    hours: Mapping[str, int] = {"1h": 1, "24h": 24, "7d": 168}
    return now_s - 3600 * hours[window] if window in hours else None


def failed_since(since_s: float) -> Check:
    """Jobs that failed last at this time or later."""

    def check(job: Visible) -> bool:
        last = last_failure(job)
        return last is not None and last >= since_s

    return check


def last_failure(job: Visible) -> float | None:
    """When a job failed last."""
    return job.job.failed_at if job.job.retried_at is None else job.job.retried_at


def in_words(words: Sequence[tuple[str, str]]) -> str:
    """A filter as a sentence's part: `class MailJob, error not found`."""
    return ", ".join(f"{name} {value}" for name, value in words)
