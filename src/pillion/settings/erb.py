"""Reads the ERB that Ruby fleets put into `sidekiq.yml`: values from the environment. No Ruby is run.

Understood inside `<%= %>`, in any combination:

    ENV["X"]   ENV.fetch("X")   ENV.fetch("X", 5)   ENV.fetch("X") { 5 }   a || b   (a)
    5   1.5   "text"   'text'   :name   true   false   nil   Integer(a)   .to_i  .to_f  .to_s  .presence

`<%# comments %>` go. Everything else is refused by line and text, rather than guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pillion.errors import ConfigError

_TAG = re.compile(r"<%(?P<kind>[=#%-]?)(?P<code>.*?)(?:-?%>)", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<string>\"[^\"#\\]*\"|'[^'\\]*')|(?P<symbol>:\w+)"
    r"|(?P<name>ENV\.fetch|ENV|Integer|nil|true|false)\b|(?P<method>\.(?:to_i|to_f|to_s|presence))\b"
    r"|(?P<sign>\|\||[\[\](){},]))"
)
_KNOWN = 'ENV["X"], ENV.fetch("X", 5), ENV.fetch("X") { 5 } or ENV["X"] || 5'

Value = str | int | float | bool | None


def render(text: str, environ: Mapping[str, str], source: str) -> str:
    """Return `text` with each ERB tag replaced by its value.

    Parameters: `source` names the file in errors. Raises ConfigError with file and line for a tag that
    is not understood, and for a variable that must be set and is not.
    """

    def replace(match: re.Match[str]) -> str:
        kind, code = match["kind"], match["code"]
        where = f"{source}, line {text.count(chr(10), 0, match.start()) + 1}"
        if kind == "#":
            return ""
        if kind != "=":
            raise _unknown(where, match[0])
        value = _Expression(code, environ, where).value()
        return "" if value is None else _ruby_text(value)

    return _TAG.sub(replace, text)


def _unknown(where: str, code: str) -> ConfigError:
    hint = "Pillion reads such files without Ruby: put the value into an environment variable."
    return ConfigError(where, _KNOWN, code.strip(), hint)


class _Expression:
    """A recursive-descent reader of one expression. `||` binds loosest, then a method call."""

    def __init__(self, code: str, environ: Mapping[str, str], where: str) -> None:
        self._code, self._environ, self._where = code, environ, where
        self._tokens = self._split()
        self._next = 0

    def value(self) -> Value:
        result = self._either()
        if self._next != len(self._tokens):
            raise self._refuse()
        return result

    def _split(self) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        at, end = 0, len(self._code.rstrip())
        while at < end:
            match = _TOKEN.match(self._code, at)
            if match is None or match.lastgroup is None:
                raise self._refuse()
            tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return tokens

    def _refuse(self) -> ConfigError:
        return _unknown(self._where, self._code)

    def _take(self, expected: str | None = None) -> tuple[str, str]:
        if self._next == len(self._tokens) or expected not in (None, self._tokens[self._next][1]):
            raise self._refuse()
        self._next += 1
        return self._tokens[self._next - 1]

    def _skip(self, text: str) -> bool:
        """Take the next token if it is `text`."""
        if self._next < len(self._tokens) and self._tokens[self._next][1] == text:
            self._next += 1
            return True
        return False

    def _either(self) -> Value:
        result = self._converted()
        while self._skip("||"):
            other = self._converted()
            result = other if result is None or result is False else result
        return result

    def _converted(self) -> Value:
        result = self._single()
        while self._next < len(self._tokens) and self._tokens[self._next][0] == "method":
            result = _convert(result, self._take()[1])
        return result

    def _single(self) -> Value:
        kind, text = self._take()
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "string":
            return text[1:-1]
        if kind == "symbol":
            return text[1:]
        if kind == "name":
            return self._named(text)
        if text == "(":
            return self._up_to(")")
        raise self._refuse()

    def _up_to(self, closing: str) -> Value:
        result = self._either()
        self._take(closing)
        return result

    def _named(self, name: str) -> Value:
        if name == "ENV":
            self._take("[")
            return self._environ.get(self._text(self._up_to("]")))
        if name == "ENV.fetch":
            return self._fetch()
        if name == "Integer":
            self._take("(")
            return self._integer(self._up_to(")"))
        return {"nil": None, "true": True, "false": False}[name]

    def _text(self, value: Value) -> str:
        if not isinstance(value, str):
            raise self._refuse()
        return value

    def _fetch(self) -> Value:
        self._take("(")
        name = self._text(self._either())
        fallback = [self._either()] if self._skip(",") else []
        self._take(")")
        if self._skip("{"):
            fallback.append(self._up_to("}"))
        if name in self._environ:
            return self._environ[name]
        if not fallback:
            raise ConfigError(self._where, f"the environment variable {name} to be set", None)
        return fallback[-1]

    def _integer(self, value: Value) -> int:
        try:
            return int(str(value))
        except ValueError:
            raise ConfigError(self._where, "a whole number inside Integer(...)", value) from None


def _convert(value: Value, method: str) -> Value:
    if method == ".to_s":
        return "" if value is None else _ruby_text(value)
    if method == ".presence":
        return None if isinstance(value, str) and not value.strip() else value
    pattern = r"\s*(-?\d+)" if method == ".to_i" else r"\s*(-?\d+(?:\.\d+)?)"
    match = re.match(pattern, "" if value is None else str(value))
    number = match[1] if match else "0"
    return int(number) if method == ".to_i" else float(number)


def _ruby_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
