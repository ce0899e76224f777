"""What a person is shown of a job: the class and the arguments inside a wrapper (wire-format 4.1). Pure.

Rails' Active Job wraps its jobs: `class` is a wrapper, `wrapped` the real class, and `args` one map with
the real arguments, which carry bookkeeping of their own. Whatever shape a payload has, nothing here raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

ACTIVE_JOB_WRAPPERS: Final = frozenset(
    {"Sidekiq::ActiveJob::Wrapper", "ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper"}
)
ENCRYPTED: Final = "[encrypted data]"

_DELIVERY: Final = "ActionMailer::DeliveryJob"
_MAIL_DELIVERY: Final = "ActionMailer::MailDeliveryJob"
# Mailer, method and when to deliver come before the arguments of a mail.
_MAIL_HEAD: Final = 3
_BOOKKEEPING: Final = "_aj_"
_GLOBAL_ID: Final = "_aj_globalid"


def shown_class(item: Mapping[str, Any]) -> str:
    """The class label of a payload, such as `CleanUp` or, for a mail, `UserMailer#welcome`; "" if it has none."""
    label = _text(item.get("display_class"))
    if label:
        return label
    wrapped = _wrapped_class(item)
    return _mailer_label(wrapped, _inner_arguments(item)) or wrapped or _text(item.get("class"))


def shown_args(item: Mapping[str, Any]) -> list[Any]:
    """The arguments of a payload for display: those inside a wrapper, without its bookkeeping.

    The last one is masked in an encrypted job.
    """
    inner = _inner_arguments(item)
    shown = _list(item.get("args")) if inner is None else _arguments_of(_wrapped_class(item), inner)
    if item.get("encrypt") and shown:
        shown[-1] = ENCRYPTED
    return shown


# -- inside a wrapper --------------------------------------------------------------------------------


def _is_active_job(item: Mapping[str, Any]) -> bool:
    return _text(item.get("class")) in ACTIVE_JOB_WRAPPERS


def _wrapped_class(item: Mapping[str, Any]) -> str:
    """The class behind a wrapper; "" if there is none. Very old jobs have it as their first argument."""
    wrapped = _text(item.get("wrapped"))
    if wrapped or not _is_active_job(item):
        return wrapped
    first = next(iter(_list(item.get("args"))), None)
    return _text(cast("dict[str, Any]", first).get("job_class")) if isinstance(first, dict) else _text(first)


def _inner_arguments(item: Mapping[str, Any]) -> list[Any] | None:
    """The arguments inside an Active Job wrapper, as they are stored; None if the job is not such a wrapper."""
    if not _is_active_job(item):
        return None
    first = next(iter(_list(item.get("args"))), None)
    if not isinstance(first, dict):
        return None
    arguments: object = cast("dict[str, Any]", first).get("arguments")
    return _list(cast("object", arguments)) if isinstance(arguments, list) else None


def _mailer_label(wrapped: str, arguments: list[Any] | None) -> str:
    """`Mailer#method` for a job that sends a mail, else ""."""
    if wrapped not in (_DELIVERY, _MAIL_DELIVERY) or arguments is None or len(arguments) < 2:
        return ""
    mailer, method = (_text(part) for part in arguments[:2])
    return f"{mailer}#{method}" if mailer and method else ""


def _arguments_of(wrapped: str, arguments: list[Any]) -> list[Any]:
    """The arguments of the job itself."""
    plain = _list(_plain(arguments))
    if wrapped == _DELIVERY:
        return plain[_MAIL_HEAD:]
    mail: Any = plain[_MAIL_HEAD] if wrapped == _MAIL_DELIVERY and len(plain) > _MAIL_HEAD else None
    if isinstance(mail, dict):
        parts = cast("dict[str, Any]", mail)
        return [parts.get("params"), parts.get("args")]
    return plain[_MAIL_HEAD:] if wrapped == _MAIL_DELIVERY else plain


def _plain(value: Any) -> Any:
    """A value without Active Job's bookkeeping; what stands for a record becomes the record's id."""
    if isinstance(value, list):
        return [_plain(part) for part in _list(cast("object", value))]
    if not isinstance(value, dict):
        return value
    parts = cast("dict[str, Any]", value)
    if _GLOBAL_ID in parts:
        return parts[_GLOBAL_ID]
    return {key: _plain(part) for key, part in parts.items() if not key.startswith(_BOOKKEEPING)}


# -- values of any type --------------------------------------------------------------------------------


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return [*cast("Sequence[Any]", value)] if isinstance(value, list) else []
