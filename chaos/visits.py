"""What the visitor of the dashboard wrote down, and whether the dashboard kept its promises.

A page answers 200, or leads elsewhere. A job or a queue may be gone (404), what somebody wanted to be done may have
changed meanwhile (409), and while Redis is away the page says so (503, docs/guides/dashboard.md). Anything else is a
fault; so is no answer from a dashboard that nobody killed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.diary import Diary, Trouble

VISITS = "visits.txt"
NO_ANSWER = 0
# Its connections to Redis may be tried again only after that.
BACK_WITHIN_S = 5.0
LEAST_PAGES = 20
LONG_ENOUGH_S = 60.0
_TAIL = 2000  # characters of a log


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `status` is NO_ANSWER where none came; then `why` has the error."""

    began: float
    status: int
    took_ms: int
    method: str
    path: str
    why: str = ""

    def __str__(self) -> str:
        return f"{self.began:.6f} {self.status} {self.took_ms} {self.method} {self.path} {self.why}".rstrip()

    @property
    def ended(self) -> float:
        return self.began + self.took_ms / 1000


def read(file: Path) -> list[Visit]:
    """Each line that was written whole."""
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    return [_visit(line.split()) for line in lines if line.endswith("\n")]


def dashboard_faults(
    visits: Sequence[Visit], diary: Diary, logs: Mapping[str, str], seconds: float
) -> dict[str, list[str]]:
    """What went wrong in a run of so many seconds, by what it is."""
    faults: defaultdict[str, list[str]] = defaultdict(list)
    for visit in visits:
        what = _fault(visit, diary)
        if what:
            faults[what].append(str(visit))
    for name, text in logs.items():
        at = text.find("Traceback (most recent call last)")
        if name.startswith("web-") and at >= 0:
            faults["traceback in the dashboard's log"].append(f"{name}: {text[at : at + _TAIL]}")
    shown = figures(visits)["answered_200"]
    if seconds >= LONG_ENOUGH_S and shown < LEAST_PAGES:
        faults["dashboard hardly visited"].append(f"{shown} pages answered 200, fewer than {LEAST_PAGES}")
    return dict(faults)


def answers_after_all(visits: Iterable[Visit]) -> list[str]:
    """When everything has come to rest each page is there: those that were not."""
    return [str(visit) for visit in visits if visit.status != 200]


def figures(visits: Iterable[Visit]) -> dict[str, int]:
    """Of pages and of buttons."""
    pages, pressed = [list[Visit]() for _ in range(2)]
    for visit in visits:
        (pages if visit.method == "GET" else pressed).append(visit)
    shown = [visit.took_ms for visit in pages if visit.status == 200]
    return {
        "pages": len(pages),
        "answered_200": len(shown),
        "slowest_ms": max(shown, default=0),
        "pressed": len(pressed),
        "obeyed": sum(visit.status == 303 for visit in pressed),
    }


def _fault(visit: Visit, diary: Diary) -> str:
    everybodys = [trouble for trouble in diary.troubles if trouble.whom is None]  # it does not use the line
    if 200 <= visit.status < 400:
        return ""
    if visit.status == NO_ANSWER:
        return "" if _meets(visit, diary.web_away) else "dashboard did not answer"
    if visit.status == 503 and _meets(visit, [*everybodys, *diary.web_away], BACK_WITHIN_S):
        return ""
    if visit.status == 404 and visit.path.startswith(("/jobs/", "/queues/")):
        return ""
    if visit.status == 409 and visit.method == "POST":
        return ""
    return "dashboard failed"


def _meets(visit: Visit, troubles: Iterable[Trouble], after_s: float = 0.0) -> bool:
    return any(trouble.begin <= visit.ended and visit.began <= trouble.end + after_s for trouble in troubles)


def _visit(words: list[str]) -> Visit:
    return Visit(float(words[0]), int(words[1]), int(words[2]), words[3], words[4], " ".join(words[5:]))
