"""Middleware: your code around every push (ClientChain) and around every run (ServerChain)."""

from importlib import import_module

from pillion.middleware.chain import Chain, ClientChain, ClientMiddleware, Entry, ServerChain, ServerMiddleware
from pillion.middleware.retry_jobs import RetryJobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pillion.middleware.current import CurrentAttributes as CurrentAttributes
    from pillion.middleware.current import carry as carry
    from pillion.middleware.log_arguments import LogArguments as LogArguments
    from pillion.middleware.silence import SilenceTransientErrors as SilenceTransientErrors
    from pillion.middleware.timing import Timing as Timing

__all__ = [
    "Chain",
    "ClientChain",
    "ClientMiddleware",
    "CurrentAttributes",
    "Entry",
    "LogArguments",
    "RetryJobs",
    "ServerChain",
    "ServerMiddleware",
    "SilenceTransientErrors",
    "Timing",
    "carry",
]

# Ready-made middleware is loaded when it is asked for: most processes have none of it.
_HOME_OF = {
    "CurrentAttributes": "current",
    "LogArguments": "log_arguments",
    "SilenceTransientErrors": "silence",
    "Timing": "timing",
    "carry": "current",
}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
