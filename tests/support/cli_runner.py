"""The command line inside of the test process, on the test's Redis: what it printed and how it ended."""

from __future__ import annotations

from click.testing import CliRunner, Result

from pillion.cli.main import command
from pillion.errors import PillionError


class Pillion:
    """Call it with the words behind `pillion`. Nobody sits there to be asked."""

    def __init__(self, redis_url: str) -> None:
        self._environ = {"REDIS_URL": redis_url, "COLUMNS": "200"}

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(command, words, env=self._environ)

    def ok(self, *words: str) -> str:
        """Its output; it must have gone well."""
        result = self(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def refusal(self, *words: str) -> str:
        """The words with which it refused."""
        result = self(*words)
        if isinstance(result.exception, PillionError):
            return str(result.exception)
        assert result.exit_code == 2, result.output
        return result.output
