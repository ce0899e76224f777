"""`python -m chaos.visitor SEED`: walks over the pages of the dashboard until it is killed, and presses its buttons.

In which order, and what it presses when, is a function of the seed. A line per visit goes into `visits.txt`, in one
write: a kill cuts off none.
"""

from __future__ import annotations

import html
import os
import random
import re
import sys
import time
from pathlib import Path

from chaos.browser import FOLDER_VARIABLE, Browser, Page, hidden_fields
from chaos.visits import VISITS, Visit

PAGES = (
    "/", "/busy", "/queues", "/queues/critical", "/queues/default", "/queues/low", "/retries", "/retries?view=list",
    "/scheduled", "/dead", "/dead?view=list", "/metrics", "/search?q=ChaosWork", "/audit", "/api/v1/stats",
)  # fmt: skip
# A job's page is asked for after a page of jobs that are still there: the audit names those that have ended as well.
JOBS_FROM = ("/busy", "/queues/low", "/retries?view=list", "/scheduled", "/dead?view=list", "/search?q=ChaosWork")
PAUSES_S = (0.1, 0.2)
PRESSES = 0.1  # before one visit; of these, half mean all jobs that failed, half one of them

_JOB = re.compile(r'href="(/jobs/[^"]+)"')
_KEY = re.compile(r'name="key" value="([^"]+)"')


class Visitor:
    """Somebody with a browser. Every request is written down."""

    def __init__(self, browser: Browser, rng: random.Random, file: int) -> None:
        self._browser = browser
        self._rng = rng
        self._file = file

    def walk(self) -> None:
        """Each page once, in an order of its own each time."""
        for path in self._rng.sample(PAGES, len(PAGES)):
            if self._rng.random() < PRESSES:
                self._retry_all() if self._rng.random() < 0.5 else self._retry_one()
            page = self._note(self._browser.get(path))
            job = _job_in(page, self._rng) if path in JOBS_FROM else None
            if job is not None:
                self._pause()
                self._note(self._browser.get(job))
            self._pause()

    def _retry_all(self) -> None:
        """Two steps: the dashboard shows how many jobs it means, and that form is sent back."""
        page = self._note(self._browser.post("/bulk/retries/retry", [("back", "/retries")]))
        if page.visit.status == 200:
            self._note(self._browser.post("/bulk/retries/retry", hidden_fields(page.text)))

    def _retry_one(self) -> None:
        """Tick a row of the list; who else retries it meanwhile may be faster."""
        keys = _KEY.findall(self._note(self._browser.get("/retries?view=list")).text)
        if keys:
            fields = [("key", html.unescape(self._rng.choice(keys))), ("back", "/retries")]
            self._note(self._browser.post("/sets/retries/retry", fields))

    def _note(self, page: Page) -> Page:
        os.write(self._file, f"{page.visit}\n".encode())
        return page

    def _pause(self) -> None:
        time.sleep(self._rng.uniform(*PAUSES_S))


def walk_once(browser: Browser) -> list[Visit]:
    """Each page, and the page of one job, if there is one."""
    pages = [browser.get(path) for path in PAGES]
    jobs = [_job_in(page, random.Random(0)) for page in pages if page.visit.path in JOBS_FROM]
    return [page.visit for page in pages] + [browser.get(job).visit for job in list(filter(None, jobs))[-1:]]


def _job_in(page: Page, rng: random.Random) -> str | None:
    links = _JOB.findall(page.text)
    return html.unescape(rng.choice(links)) if links else None


def main() -> None:
    file = os.open(Path(os.environ[FOLDER_VARIABLE]) / VISITS, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    visitor = Visitor(Browser(os.environ), random.Random(f"{sys.argv[1]}/visitor"), file)
    while True:
        visitor.walk()


if __name__ == "__main__":
    main()
