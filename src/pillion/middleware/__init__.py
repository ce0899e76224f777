"""Middleware: your code around every push (ClientChain) and around every run (ServerChain)."""

from pillion._lazy import lazy_names
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
_HOMES = {
    "current": ("CurrentAttributes", "carry"),
    "log_arguments": ("LogArguments",),
    "silence": ("SilenceTransientErrors",),
    "timing": ("Timing",),
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES, globals())
