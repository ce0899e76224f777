"""A long-lived Ruby with Sidekiq's client, API and web app, which runs what a test tells it to.

ruby("Sidekiq::Queue.new(name).size", name="default")   # the answer, as JSON has it
ruby("visitor.look('/retries')")                        # see ruby/helper.rb for more than Sidekiq itself
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "ruby"
PROBE = 'require "sidekiq/web"; require "rack/mock"; print Sidekiq::VERSION'
CURE = "These tests need Ruby with Sidekiq and Rack. On Debian: apt-get install ruby-sidekiq ruby-rack"


class RubyError(AssertionError):
    """Ruby raised while it ran a command."""


def find_ruby() -> str:
    """The Ruby that has Sidekiq. None is a failure, never a skip."""
    ruby = shutil.which("ruby")
    if ruby is None or shutil.which("sidekiq") is None:
        pytest.fail(f"There is no ruby or no sidekiq on the PATH. {CURE}")
    probe = subprocess.run([ruby, "-e", PROBE], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.fail(f"{probe.stderr}\n{CURE}")
    return ruby


class RubyHelper:
    """The process. One command at a time."""

    def __init__(self, log: Path) -> None:
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [find_ruby(), str(FOLDER / "helper.rb")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                encoding="utf-8",
            )
        self._log = log

    def run(self, redis_url: str, code: str, names: dict[str, Any]) -> Any:
        """Run Ruby code with these local variables; return its value. Raises RubyError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"redis": redis_url, "ruby": code, "with": names}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"Ruby ended while it ran {code!r}:\n{self._log.read_text(errors='replace')}"
        answer = json.loads(line)
        if "error" in answer:
            raise RubyError(f"{code}\n{answer['error']}")
        return answer["answer"]

    def close(self) -> None:
        self._process.communicate()  # the end of its input is the end of it


class Ruby:
    """The helper, on one Redis."""

    def __init__(self, helper: RubyHelper, redis_url: str) -> None:
        self._helper = helper
        self._redis_url = redis_url

    def __call__(self, code: str, **names: Any) -> Any:
        return self._helper.run(self._redis_url, code, names)

    def push(self, job: str, *args: Any, **item: Any) -> str:
        """Sidekiq::Client.push of a job by its name; returns the jid."""
        return self("Sidekiq::Client.push(item)", item={"class": job, "args": list(args), **item})

    def look(self, path: str) -> str:
        """A page of the web app, as HTML. It must be there."""
        seen = self("visitor.look(path)", path=path)
        assert seen["status"] == 200, f"GET {path}: {seen['status']}\n{seen['body'][:2000]}"
        return seen["body"]

    def press(self, page: str, action: str, **fields: Any) -> None:
        """Open a page of the web app and send one of its forms. It must be taken."""
        status = self("visitor.press(page, action, fields)", page=page, action=action, fields=fields)
        assert status == 302, f"POST {action}: {status}"
