"""Numbers in English sentences, for those who read the texts of the JSON API. Pages use the formats of the locale."""

from __future__ import annotations


def counted(number: int, word: str) -> str:
    """`1 job`, `12,001 jobs`."""
    return f"{number:,} {word}{'' if number == 1 else 'es' if word.endswith('s') else 's'}"


def duration(seconds: float) -> str:
    """`12 s`, `11m 20s`, `3h 5m`, `2d 4h`."""
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60}s"
    if whole < 86_400:
        return f"{whole // 3600}h {whole % 3600 // 60}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3600}h"


def percent(share: float) -> str:
    """`42%`; below ten with one digit, `0.3%`."""
    return f"{share:.1%}" if 0 < share < 0.0995 else f"{share:.0%}"
