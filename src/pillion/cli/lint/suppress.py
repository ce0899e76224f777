"""Comments that switch a rule off for a place.

`# pillion: disable=PL-NAME because <reason>` counts for its statement; behind the first line of a class or
function, for all of it. Without a reason it disables nothing and is itself a problem (F134): whoever
reads the exception later must learn whether it still holds. `# noqa: PL-NAME` is there for editors that write it:
it needs no reason, and so counts for its own line or statement only, never for a whole class.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

_DISABLE = re.compile(r"#\s*pillion:\s*disable\b(?P<rest>[^#]*)")
_REASONED = re.compile(r"\s*=\s*(?P<codes>PL-[A-Z]+(?:\s*,\s*PL-[A-Z]+)*)\s+because\b\W*\w")
_NOQA = re.compile(r"#\s*(?i:noqa):\s*(?P<codes>[A-Z][A-Z0-9-]*(?:[\s,]+[A-Z][A-Z0-9-]*\b)*)")
_CODE = re.compile(r"PL-[A-Z]+")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that switches `codes` off. `line` and `column` count from 1.

    `is_noqa` tells the short form; `has_reason` is for the other.
    """

    line: int
    column: int
    codes: frozenset[str]
    is_noqa: bool
    has_reason: bool


@dataclass(frozen=True, slots=True)
class Suppression:
    """The codes that are off from line `first` to line `last`."""

    first: int
    last: int
    codes: frozenset[str]

    def covers(self, line: int, code: str) -> bool:
        """Is `code` off on this line?"""
        return code in self.codes and self.first <= line <= self.last


def read_comments(text: str) -> list[Comment]:
    """The comments of a file that speak to the linter. Text inside strings is not looked at."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [found for token in tokens if token.type == tokenize.COMMENT for found in _read(token)]


def suppressions(tree: ast.Module, comments: list[Comment]) -> list[Suppression]:
    """Where the comments reach. Those that need a reason and have none reach nowhere."""
    found: list[Suppression] = []
    for comment in comments:
        if comment.is_noqa or comment.has_reason:
            first, last = _reach(tree, comment)
            found.append(Suppression(first, last, comment.codes))
    return found


def _read(token: tokenize.TokenInfo) -> Iterator[Comment]:
    line, column = token.start
    for match in _DISABLE.finditer(token.string):
        reasoned = _REASONED.match(match["rest"])
        codes = frozenset(_CODE.findall(reasoned["codes"])) if reasoned else frozenset[str]()
        yield Comment(line, column + match.start() + 1, codes, is_noqa=False, has_reason=reasoned is not None)
    for match in _NOQA.finditer(token.string):
        if codes := frozenset(_CODE.findall(match["codes"])):
            yield Comment(line, column + match.start() + 1, codes, is_noqa=True, has_reason=False)


def _reach(tree: ast.Module, comment: Comment) -> tuple[int, int]:
    """First and last line that the comment counts for."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]  # outer ones come first
    for node in statements:
        first, header_end = _header(node)
        if first <= comment.line <= header_end:
            is_scope = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            return first, (node.end_lineno or header_end) if is_scope and not comment.is_noqa else header_end
    return comment.line, comment.line


def _header(node: ast.stmt) -> tuple[int, int]:
    """The lines of a statement without the statements inside it; with its decorators."""
    first = _first_line(node)
    body: list[ast.stmt] = getattr(node, "body", [])
    if isinstance(node, ast.Match):
        return first, node.subject.end_lineno or first
    if not body:
        return first, node.end_lineno or first
    return first, max(node.lineno, _first_line(body[0]) - 1)


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])
