"""Plain HTML pages with one table each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from starlette.responses import HTMLResponse

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
  :root {{ color-scheme: light dark; }}
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; }}
  th, td {{ text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #8885; }}
</style>
<h1>{title}</h1>
{body}
<p><a href="/">All services</a></p>
</html>
"""


def page(title: str, body: str) -> HTMLResponse:
    """A page. `title` is text, `body` is HTML."""
    return HTMLResponse(PAGE.format(title=escape(title), body=body))


def table(columns: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """HTML of a table. `columns` says which field of a row stands under which heading."""
    if not rows:
        return "<p>NONE YET</p>"
    head = "".join(f"<th>{escape(heading)}</th>" for heading in columns)
    lines = ("".join(f"<td>{escape(_text(row.get(field)))}</td>" for field in columns.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
