"""The application in a zygote: loaded and configured as in the worker, without anything that serves queues."""

from __future__ import annotations

import logging
import sys
import traceback

from pillion import default, log
from pillion.config import Config
from pillion.errors import PillionError
from pillion.server.isolation.order import Boot
from pillion.server.loader import load_app


def load(boot: Boot) -> Config:
    """Load the app and call its `configure_server` blocks. Raises whatever goes wrong there.

    No `startup` hooks: they may open what a fork must not share. `child_start` hooks run in each child.
    """
    sys.path[:], sys.argv[:] = boot.sys_path, boot.argv
    if boot.log_format:
        log.setup("info", boot.log_format)
    config = boot.config()
    load_app(boot.app.targets, boot.app.require, boot.app.directory)
    default.run_server_blocks(config)
    config.freeze()
    for name, level in boot.levels.items():
        logging.getLogger(name or None).setLevel(level)
    return config


def why_not(exc: BaseException) -> str:
    """What went wrong, for the worker: our own errors in their words, others with their stack."""
    if isinstance(exc, PillionError):
        return str(exc)
    return "".join(traceback.format_exception(exc)).rstrip()
