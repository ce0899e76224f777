"""Roles: who may what. Pure."""

from __future__ import annotations

from typing import Final, Literal, get_args

# Each may what those before it may. viewer: look. operator: what can be taken back, such as retry, pause, quiet.
# admin: also what removes or ends something, such as delete, kill, clear, stop; and the audit log.
Role = Literal["viewer", "operator", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
_RANK: Final = {role: rank for rank, role in enumerate(ROLES)}


def may(role: Role | None, needed: Role | None) -> bool:
    """Whether `role` is enough where `needed` is asked for; None is nobody, and a need that everybody meets."""
    return needed is None or (role is not None and _RANK[role] >= _RANK[needed])
