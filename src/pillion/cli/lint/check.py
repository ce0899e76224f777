"""One file through the rules: text in, findings out."""

from __future__ import annotations

import platform
import tokenize
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pillion.cli.lint.model import Module, read_module
from pillion.cli.lint.rules import RULES
from pillion.cli.lint.suppress import Comment, read_comments, suppressions

REASON, SYNTAX = "PL-REASON", "PL-SYNTAX"
_NO_REASON = (
    "this comment disables nothing, because it gives no reason:"
    " write # pillion: disable=PL-NAME because <why it is right here>."
)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One line of the report. `line` and `column` count from 1, as editors do."""

    path: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column} {self.code} {self.message}"


def check_file(path: Path, codes: Collection[str]) -> list[Finding]:
    """Read a file, in the encoding it names, and check it. A file that cannot be read is a finding too."""
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as exc:
        return _chosen([Finding(str(path), 1, 1, SYNTAX, f"this file cannot be read: {_reason(exc)}.")], codes)
    return check_text(str(path), text, codes)


def check_text(path: str, text: str, codes: Collection[str]) -> list[Finding]:
    """What the rules in `codes` find in `text`, whose lines end in "\\n", in the order of the lines."""
    try:
        module, comments = read_module(text), read_comments(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as exc:
        line, column = getattr(exc, "lineno", None) or 1, getattr(exc, "offset", None) or 1
        message = f"Python {platform.python_version()} cannot read this: {_reason(exc)}. Nothing else was checked here."
        return _chosen([Finding(path, line, column, SYNTAX, message)], codes)
    findings = _apply_rules(path, module, comments, codes)
    unreasoned = [comment for comment in comments if not (comment.is_noqa or comment.has_reason)]
    findings += [Finding(path, comment.line, comment.column, REASON, _NO_REASON) for comment in unreasoned]
    return sorted(_chosen(findings, codes))


def _apply_rules(path: str, module: Module, comments: list[Comment], codes: Collection[str]) -> list[Finding]:
    off = suppressions(module.tree, comments)
    return [
        Finding(path, problem.node.lineno, module.column(problem.node), code, problem.message)
        for code, rule in RULES.items()
        if code in codes
        for problem in rule.check(module)
        if not any(suppression.covers(problem.node.lineno, code) for suppression in off)
    ]


def _chosen(findings: list[Finding], codes: Collection[str]) -> list[Finding]:
    return [finding for finding in findings if finding.code in codes]


def _reason(exc: BaseException) -> str:
    """The error in a few words, without file and line: those are in the finding."""
    if isinstance(exc, OSError):
        return exc.strerror or str(exc)
    return exc.msg if isinstance(exc, SyntaxError) else str(exc) or type(exc).__name__
