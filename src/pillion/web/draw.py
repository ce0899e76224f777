"""Drawing: from a view model to an answer in HTML."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import HTMLResponse, Response

from pillion._version import __version__
from pillion.errors import PillionError
from pillion.web import cookies, paths
from pillion.web.cookies import Note, Preferences
from pillion.web.desk import Desk
from pillion.web.errors import Refusal, log, page_of
from pillion.web.locale import Locale
from pillion.web.request_scope import Flash, RequestScope, TabLink
from pillion.web.security.auth import User
from pillion.web.visit import Visit

# What differs between two drawings of the same facts: times that tick, which the script keeps going by itself.
_TICKING: Final = re.compile(r'data-now="[^"]*"|(<time[^>]*>)[^<]*')
_PLAIN_FAILURE: Final = "The dashboard failed twice: with its page, and with the page that says so. See its log."


def locale_of(desk: Desk, visit: Visit) -> Locale:
    """The language of a visit: what the visitor chose, else what the browser says."""
    chosen = Preferences.of(visit.cookies).locale
    return desk.locales.choose(chosen, visit.headers.get("accept-language", ""))


def page(
    desk: Desk, visit: Visit, user: User, *, template: str, model: Any, status: int = 200, active: str = ""
) -> Response:
    """A page, or its `<main>` alone with an ETag. `active` is the page that the navigation marks."""
    note = Note.parse(visit.cookies.get(cookies.FLASH, ""), desk.router.by_name)
    shown = None if visit.wants_fragment else note
    frame = getattr(model, "frame", None) or desk.data.frame()
    text = _text(desk, visit, user, template=template, model=model, active=active, counts=frame.summary, note=shown)
    if visit.wants_fragment:
        return _fragment(visit, text)
    answer = HTMLResponse(text, status)
    if shown is not None:
        away = cookies.cookie(cookies.FLASH, "", root=visit.root, secure=visit.is_secure, age_s=0)
        answer.headers.append("set-cookie", away)
    return answer


def _fragment(visit: Visit, text: str) -> Response:
    digest = hashlib.sha256(_TICKING.sub(r"\1", text).encode(errors="replace")).hexdigest()[:20]
    tag = f'"{digest}"'
    if tag in (each.strip().removeprefix("W/") for each in visit.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers={"etag": tag})
    return HTMLResponse(text, headers={"etag": tag})


def error(desk: Desk, visit: Visit, user: User | None, refusal: Refusal) -> Response:
    """The page of a refusal. If even that cannot be drawn, a line of text."""
    headers = dict(refusal.headers)
    try:
        text = _text(desk, visit, user, template="error", model=page_of(refusal), active="", counts=None, note=None)
    except Exception:  # noqa: BLE001 - whatever it is, it must not hide what is wrong
        log.exception("The page of an error cannot be drawn")
        return Response(_PLAIN_FAILURE, 500, headers, "text/plain; charset=utf-8")
    return HTMLResponse(text, refusal.status, headers)


def _text(
    desk: Desk,
    visit: Visit,
    user: User | None,
    *,
    template: str,
    model: Any,
    active: str,
    counts: Any,
    note: Note | None,
) -> str:
    locale = locale_of(desk, visit)
    scope = _scope(desk, visit, user, locale, active=active, counts=counts, flash=_flash(desk, note, locale))
    return desk.templates.render(
        template,
        page=model,
        scope=scope,
        locale=locale,
        languages=desk.locales.by_code,
        now_s=desk.options.clock(),
        fragment=visit.wants_fragment,
    )


def _flash(desk: Desk, note: Note | None, locale: Locale) -> Flash | None:
    if note is None:
        return None
    summary = desk.router.by_name[note.action].summary  # for one of an extension
    action = locale.say(f"action.{note.action}", {}, summary)
    text = locale(f"flash.{note.code}", action=action, n=note.count, target=note.target)
    return Flash("ok" if note.code in ("done", "started", "partly") else "fail", text, note.undo_id)


def _scope(
    desk: Desk, visit: Visit, user: User | None, locale: Locale, *, active: str, counts: Any, flash: Flash | None
) -> RequestScope:
    options, preferences = desk.options, Preferences.of(visit.cookies)
    return RequestScope(
        who=user.name if user else "",
        role=user.role if user else None,
        root=visit.root,
        path=visit.path if visit.is_look else "/",
        query=_pairs(visit) if visit.is_look else (),
        routes=desk.router.by_name,
        active=active,
        locale=locale.code,
        theme=preferences.theme,
        compact=preferences.compact,
        read_only=options.read_only,
        title=options.title,
        environment=options.environment,
        version=__version__,
        redis_label=redis_label(desk),
        tabs=tuple(_tabs(desk, visit)),
        flash=flash,
        counts=counts,
        assets=desk.assets.hashed,
    )


def _pairs(visit: Visit) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((name, values[-1]) for name, values in visit.query.items())
    except Refusal:  # too many of them: this is the page that says so
        return ()


def _tabs(desk: Desk, visit: Visit) -> Iterator[TabLink]:
    for extension in desk.options.extensions:
        if extension.tab is not None:
            route = desk.router.by_name[extension.tab.route]
            href = visit.root + paths.fill(route.path, {})
            yield TabLink(route.name, extension.tab.title, href, extension.tab.icon)


def redis_label(desk: Desk) -> str:
    """Which Redis this is, as "host:port/db"; never a password. Empty if the settings cannot be read."""
    try:
        return str(desk.fleet.storage.description)
    except PillionError:
        return ""
