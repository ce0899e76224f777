"""The pytest plugin: a mode of testing for each test, with no jobs left over from the test before.

    [pytest]
    pillion_mode = fake          ; or inline; or disabled, which is what there is without this line

It holds everywhere: also for the threads that a test starts. A marker changes it for one test,
`@pytest.mark.pillion("inline")`, and so does a fixture: `pillion_fake`, `pillion_inline`, `pillion_disabled`.
`--pillion-mode` on the command line goes before the setting.

pytest loads this module in every run on a machine that has Pillion, so nothing is imported that is not asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pillion.testing.store import FakeQueues

MODES = ("fake", "inline", "disabled")
_HELP = "what Pillion does with jobs that tests push: fake, inline or disabled (Redis, the default)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting and the flag."""
    parser.addini("pillion_mode", _HELP, default="disabled")
    parser.getgroup("pillion").addoption("--pillion-mode", choices=MODES, default=None, help=_HELP)


def pytest_configure(config: pytest.Config) -> None:
    """The marker; and the mode of the whole run, for fixtures that push before the first test."""
    config.addinivalue_line("markers", "pillion(mode): fake, inline or disabled, for this test")
    mode = _mode_of_run(config)
    if mode != "disabled":
        stack = ExitStack()
        stack.enter_context(_block(mode))
        config.add_cleanup(stack.close)


@pytest.fixture(autouse=True)
def _pillion_mode(request: pytest.FixtureRequest) -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    """The mode of one test, with queues, clock and middleware of its own."""
    marker = request.node.get_closest_marker("pillion")
    mode = _mode_of_run(request.config) if marker is None else _checked(marker.args[0] if marker.args else None)
    if marker is None and mode == "disabled":
        yield
    else:
        with _block(mode):
            yield


@pytest.fixture
def pillion_fake(_pillion_mode: None) -> Generator[FakeQueues]:
    """Jobs are kept in memory. The value is the queues, as `pillion.testing.queues`."""
    from pillion import testing

    if testing.mode_name() == "fake":
        yield testing.queues()
    else:
        with testing.fake(everywhere=True) as queues:
            yield queues


@pytest.fixture
def pillion_inline(_pillion_mode: None) -> Generator[None]:
    """Jobs run when they are pushed."""
    with _block("inline"):
        yield


@pytest.fixture
def pillion_disabled(_pillion_mode: None) -> Generator[None]:
    """Jobs go to Redis."""
    with _block("disabled"):
        yield


def _block(mode: str) -> AbstractContextManager[Any]:
    from pillion.testing import block

    blocks = {"fake": block.fake, "inline": block.inline, "disabled": block.disabled}
    return blocks[mode](everywhere=True)


def _mode_of_run(config: pytest.Config) -> str:
    return _checked(config.getoption("pillion_mode") or config.getini("pillion_mode"))


def _checked(mode: Any) -> str:
    if mode in MODES:
        return str(mode)
    raise pytest.UsageError(f"pillion_mode: expected one of {', '.join(MODES)}, got {mode!r}.")
