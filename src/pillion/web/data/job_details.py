"""The inside of a payload, as its viewer may see it: arguments, keys without a place of their own, all of it. Pure."""

from __future__ import annotations

from typing import Any, Final

from pillion.web.data.models import Extra, Shown
from pillion.web.data.redaction import HIDDEN
from pillion.web.data.texts import HIDDEN_TEXT, json_text, short, shown
from pillion.web.data.visible import Visible

_MOST_ARGS: Final = 100
_MOST_EXTRAS: Final = 50
_HAVE_A_PLACE: Final = frozenset(
    {
        *("class", "wrapped", "display_class", "args", "jid", "bid", "queue", "retry", "tags", "created_at"),
        *("enqueued_at", "failed_at", "retried_at", "retry_count", "error_class", "error_message", "error_backtrace"),
    }
)


def args_of(visible: Visible, *, everything: bool) -> tuple[Shown, ...]:
    """The arguments, one by one, over several lines."""
    args = visible.args
    if args is HIDDEN:
        return (HIDDEN_TEXT,)
    if not isinstance(args, list):
        return (shown(args if isinstance(args, str) else json_text(args), everything=everything),)
    listed: list[Any] = args  # pyright: ignore[reportUnknownVariableType]
    return tuple(shown(json_text(one, pretty=True), everything=everything) for one in listed[:_MOST_ARGS])


def extras_of(visible: Visible) -> tuple[Extra, ...]:
    """Keys of the payload that have no place on the page."""
    names = [name for name in visible.job.item if name not in _HAVE_A_PLACE and not name.startswith("cattr")]
    return tuple(Extra(short(name, 80), visible.text(name, visible.job[name])) for name in names[:_MOST_EXTRAS])


def raw_of(visible: Visible, *, everything: bool) -> Shown:
    """The whole payload, over several lines; of what is no job, its bytes."""
    job = visible.job
    if not job.is_readable:
        return HIDDEN_TEXT if visible.args is HIDDEN else shown(visible.args_text, everything=everything)
    return shown(json_text({name: _value(visible, name) for name in job.item}, pretty=True), everything=everything)


def _value(visible: Visible, name: str) -> Any:
    if name == "args":
        # What may be shown is decided on the arguments as a person knows them, without a wrapper around.
        is_open = visible.args == visible.job.display_args and not visible.job["encrypt"]
        value = visible.job.args if is_open else visible.args
    elif name == "error_message":
        value = HIDDEN if visible.message is None else visible.message
    elif name == "error_backtrace":
        value = visible.value(name, visible.job.error_backtrace)
    else:
        value = visible.value("context" if name.startswith("cattr") else name, visible.job[name])
    return str(value) if value is HIDDEN else value
