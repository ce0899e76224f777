"""Files: style and script, exports, and the link that lets one in."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final

from starlette.responses import RedirectResponse, Response, StreamingResponse

from pillion.web import cookies
from pillion.web.ask import Ask
from pillion.web.data.models import JobRow
from pillion.web.desk import Desk
from pillion.web.errors import Refusal
from pillion.web.handlers.loaders import set_name
from pillion.web.json_api.encode import to_json
from pillion.web.security.headers import KEEP_FOR_EVER
from pillion.web.security.token_link import TokenLink
from pillion.web.visit import Visit

_ROWS_AT_A_TIME: Final = 500
_COLUMNS: Final[tuple[tuple[str, Callable[[JobRow], object]], ...]] = (
    ("jid", lambda row: row.jid),
    ("class", lambda row: row.label),
    ("queue", lambda row: row.queue),
    ("args", lambda row: "«hidden»" if row.args.is_hidden else row.args.text),
    ("at", lambda row: row.place.at),
    ("created_at", lambda row: row.created_at),
    ("enqueued_at", lambda row: row.enqueued_at),
    ("tries", lambda row: row.tries),
    ("error_class", lambda row: row.error.error_class if row.error else None),
    ("error_message", lambda row: row.error.message.text if row.error else None),
    ("failed_at", lambda row: row.error.failed_at if row.error else None),
    ("tags", lambda row: " ".join(row.tags)),
)
# A spreadsheet takes what begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def asset(desk: Desk, file: str) -> Response:
    """Style, script or icon. Raises Refusal for another name."""
    found = desk.assets.served.get(file)
    if found is None:
        raise Refusal("not_found", "There is no such file.")
    return Response(found.content, headers={"cache-control": KEEP_FOR_EVER}, media_type=found.media_type)


def log_in(auth: TokenLink, visit: Visit) -> Response:
    """From a token in the address to a cookie. Raises Refusal for a token that is not right, or no longer."""
    if visit.method == "HEAD":  # a program that only looks must not use it up
        raise Refusal("method", "Open the link in a browser.", (("allow", "GET"),))
    session = auth.redeem(visit.query.get("token", [""])[-1])
    if session is None:
        raise Refusal("unauthorized", auth.hint)
    answer = RedirectResponse(visit.root + "/", 303)
    kept = cookies.cookie(auth.cookie, session, root=visit.root, secure=visit.is_secure, age_s=None)
    answer.headers.append("set-cookie", kept)
    return answer


# -- export ------------------------------------------------------------------------------------------------


async def export(desk: Desk, visit: Visit, ask: Ask, kind: str) -> Response:
    """All jobs of a set that match, as they are found, up to 100,000. `kind` is "csv" or "ndjson".

    Errors before the first row are answered as usual; after it, the answer breaks off, and who reads it can see that.
    """
    name = set_name(ask)
    media_type = "text/csv; charset=utf-8" if kind == "csv" else "application/x-ndjson"
    headers = {"content-disposition": f'attachment; filename="{name}.{kind}"'}
    if visit.method == "HEAD":
        return Response(headers=headers, media_type=media_type)
    rows = iter(ask.data.export(name, q=ask["q"], window=ask["window"], redact=ask.redact))
    first = await desk.threads.run(_take, rows)
    lines: Callable[[Sequence[JobRow]], bytes] = _csv if kind == "csv" else _ndjson
    begin = _csv_line([column for column, _ in _COLUMNS]) if kind == "csv" else ""

    async def body() -> AsyncIterator[bytes]:
        yield begin.encode()
        chunk = first
        while chunk:
            yield await desk.threads.run(lines, chunk)
            chunk = await desk.threads.run(_take, rows)

    return StreamingResponse(body(), headers=headers, media_type=media_type)


def _take(rows: Iterator[JobRow]) -> list[JobRow]:
    return list(islice(rows, _ROWS_AT_A_TIME))


def _ndjson(rows: Sequence[JobRow]) -> bytes:
    return b"".join(chain.from_iterable((to_json(row), b"\n") for row in rows))


def _csv(rows: Sequence[JobRow]) -> bytes:
    return "".join(_csv_line([value(row) for _, value in _COLUMNS]) for row in rows).encode(errors="replace")


def _csv_line(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([harmless(value) for value in values])
    return line.getvalue()


def harmless(value: Any) -> Any:
    """A text that a spreadsheet shows and does not calculate: `=` and its like get a `'` in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
