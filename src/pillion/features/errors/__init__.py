"""Errors: which of them somebody is told of (F090, F098, F099).

from pillion.features.errors import ErrorCatcher

catcher = ErrorCatcher(send, report_errors="final")
catcher.ignored_errors.add(RequestTimeout)
catcher.install(config)
"""

from __future__ import annotations

from pillion.features.errors.catcher import ErrorCatcher, ReportErrors, Send

__all__ = ["ErrorCatcher", "ReportErrors", "Send"]
