"""Actions: what a form or a program asks to be done, with confirm, audit and the way back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from starlette.responses import RedirectResponse, Response

from pillion.errors import PillionError
from pillion.web import audit, confirm, cookies, draw, paths
from pillion.web.ask import Ask, Look
from pillion.web.confirm import Preview
from pillion.web.cookies import Note, Preferences
from pillion.web.data.bulk import CountChanged
from pillion.web.data.models import BulkReport, Outcome
from pillion.web.desk import Desk
from pillion.web.errors import Refusal
from pillion.web.forms import Fields, parse_form, parse_json, read_body
from pillion.web.handlers.doing import Do
from pillion.web.handlers.pages import ask_of
from pillion.web.json_api.encode import JSON_TYPE, PROBLEM_TYPE, plain, problem, to_json
from pillion.web.params import read_all
from pillion.web.routes import EXPECTED, Q, Route
from pillion.web.security.auth import User
from pillion.web.visit import Visit

log = logging.getLogger("pillion.web")

CODES: Final[Mapping[str, cookies.Code]] = MappingProxyType(
    {"done": "done", "nothing": "nothing", "partly": "partly", "refused": "refused"}
)


@dataclass(slots=True, frozen=True, kw_only=True)
class Wish:
    """One action that somebody wants. `given` are the fields as they came; `look` says what would be done."""

    desk: Desk
    visit: Visit
    user: User
    route: Route
    ask: Ask
    given: Fields
    do: Do
    look: Look | None

    @property
    def is_api(self) -> bool:
        """Whether a program wants it."""
        return self.route.kind == "api"

    @property
    def action(self) -> str:
        """The name that audit and texts know: that of the page's route, also for programs."""
        return self.route.name.removeprefix("api_")


async def carry_out(
    desk: Desk, visit: Visit, user: User, route: Route, names: Mapping[str, str], do: Do, look: Look | None
) -> Response:
    """Do it, or ask for a confirm, in one of the dashboard's threads."""
    body = await read_body(visit.stream())
    is_api = route.kind == "api"
    given = (parse_json if is_api else parse_form)(visit.headers.get("content-type", ""), body)
    ask = ask_of(desk, user, route, names, given if is_api else _known(route, given), strict=is_api)
    wish = Wish(desk=desk, visit=visit, user=user, route=route, ask=ask, given=given, do=do, look=look)
    return await desk.threads.run(_carry_out, wish)


def _known(route: Route, given: Fields) -> Fields:
    """A browser sends more than we ask for, such as the buttons of a form."""
    names = {param.name for param in route.params}
    return {name: values for name, values in given.items() if name in names}


def _carry_out(wish: Wish) -> Response:
    if wish.look is not None:
        answer = _not_yet(wish, wish.look)
        if answer is not None:
            return answer
    if wish.route.role == "admin":
        wish.desk.limit.take(wish.user.name)
    try:
        _compare(wish)
        done = wish.do(wish.ask)
    except CountChanged as error:
        _note(wish, "failed: CountChanged")
        return _changed(wish, error)
    except Exception as error:
        is_role = isinstance(error, Refusal) and error.kind == "forbidden"
        _note(wish, "forbidden" if is_role else f"failed: {type(error).__name__}")
        raise
    return _started(wish, done) if isinstance(done, BulkReport) else _done(wish, done)


# -- before ----------------------------------------------------------------------------------------------


def _not_yet(wish: Wish, look: Look) -> Response | None:
    """The confirm, if there is one to be answered yet; None if all is said."""
    if not wish.ask["confirmed"]:
        preview = look(wish.ask)
        return (
            _confirm(wish, preview) if preview.count else _done(wish, Outcome("nothing", wish.action, preview.target))
        )
    if wish.is_api or confirm.is_typed(wish.route, wish.ask.values):
        return None
    return _confirm(wish, look(wish.ask), error="word")


def _compare(wish: Wish) -> None:
    """Raise CountChanged if far more or fewer are meant by now than were shown. What searches compares by itself."""
    shown = wish.ask.values.get(EXPECTED.name)
    if wish.look is None or shown is None or Q.name in wish.ask.values:
        return
    count = wish.look(wish.ask).count
    if confirm.is_far(shown, count):
        raise CountChanged(shown, count)


def _confirm(wish: Wish, preview: Preview, *, error: confirm.Error = "", status: int = 200) -> Response:
    if wish.is_api:
        detail = "This removes or ends something. Send it again with confirmed: true and this expected_count."
        return _problem(Refusal("unconfirmed", detail), expected_count=preview.count, preview=plain(preview))
    visit = wish.visit
    asked = confirm.asked(
        wish.route,
        preview,
        wish.given,
        action_url=visit.root + paths.quoted(visit.path),
        back=_back(wish),
        error=error,
    )
    return draw.page(wish.desk, visit, wish.user, template="confirm", model=asked, status=status)


def _changed(wish: Wish, error: CountChanged) -> Response:
    if wish.is_api or wish.look is None:
        return _problem(Refusal("conflict", str(error)))
    return _confirm(wish, wish.look(wish.ask), error="changed", status=409)


def _problem(refusal: Refusal, **facts: object) -> Response:
    return Response(problem(refusal, **facts), refusal.status, media_type=PROBLEM_TYPE)


# -- after -----------------------------------------------------------------------------------------------


def _done(wish: Wish, done: Outcome) -> Response:
    _note(wish, done.code, count=done.moved, target=done.target, undo_id=done.undo_id, jids=",".join(done.jids))
    if wish.is_api:
        return Response(to_json(done), media_type=JSON_TYPE)
    note = Note(CODES.get(done.code, "failed"), wish.action, done.moved, done.target, done.undo_id)
    return _return(wish, _back(wish), note)


def _started(wish: Wish, report: BulkReport) -> Response:
    """An operation on many jobs runs on in a thread of its own; its page says how far it is."""
    # How many match is known when it is done; until then, how many were shown.
    _note(wish, "started", count=wish.ask.values.get(EXPECTED.name) or 0, target=report.set_name)
    if report.state in ("running", "stalled"):
        wish.desk.threads.start(_go_on, wish, report.bulk_id)
    if wish.is_api:
        place = wish.visit.root + paths.fill(wish.desk.router.by_name["api_bulk"].path, {"bulk_id": report.bulk_id})
        return Response(to_json(report), 202, {"location": place}, JSON_TYPE)
    place = paths.fill(wish.desk.router.by_name["bulk"].path, {"bulk_id": report.bulk_id})
    return _return(wish, place, Note("started", wish.action, target=report.set_name))


def _go_on(wish: Wish, bulk_id: str) -> None:
    """Carry it out, and write down what came of it."""
    try:
        report = wish.desk.data.bulk_run(bulk_id)
    except PillionError as error:
        # It is in Redis how far it came; its page offers to go on.
        log.warning("The action %s on many jobs stands still: %s", bulk_id, error)
        _note(wish, f"failed: {type(error).__name__}")
        return
    if report.state in ("done", "stopped"):  # else somebody else carries it out
        _note(wish, report.state, count=report.moved, target=report.set_name, undo_id=report.undo_id)


def _note(wish: Wish, result: str, *, count: int = 0, target: str = "", undo_id: str = "", jids: str = "") -> None:
    entry = audit.Entry(
        who=wish.user.name,
        role=wish.user.role,
        action=wish.action,
        target=target or ", ".join(wish.ask.names.values()) or ", ".join(wish.given.get("queue", ())),
        filter=str(wish.ask.values.get("q", "")),
        jids=jids,
        count=count,
        result=result,
        address=wish.visit.address,
        undo_id=undo_id,
    )
    audit.write(wish.desk.fleet, entry)


# -- the way back ----------------------------------------------------------------------------------------


def _back(wish: Wish) -> str:
    return paths.safe_back(str(wish.ask.values.get("back", "")))


def _return(wish: Wish, place: str, note: Note) -> Response:
    answer = RedirectResponse(wish.visit.root + place, 303)
    age_s = cookies.FLASH_AGE_S
    flash = cookies.cookie(cookies.FLASH, note.text(), root=wish.visit.root, secure=wish.visit.is_secure, age_s=age_s)
    answer.headers.append("set-cookie", flash)
    return answer


async def prefer(desk: Desk, visit: Visit, route: Route) -> Response:
    """Keep what somebody wants the dashboard to look like in cookies of theirs."""
    body = await read_body(visit.stream())
    given = _known(route, parse_form(visit.headers.get("content-type", ""), body))
    values = read_all(route.params, given, strict=False)
    chosen = Preferences.of(visit.cookies)
    wanted = {
        cookies.THEME: values["theme"] or chosen.theme,
        cookies.LOCALE: desk.locales.choose(values["locale"]).code if values["locale"] else chosen.locale,
        cookies.COMPACT: "1" if (chosen.compact if values["compact"] is None else values["compact"]) else "0",
    }
    answer = RedirectResponse(visit.root + paths.safe_back(values["back"]), 303)
    for name, value in wanted.items():
        age_s = cookies.PREFERENCES_AGE_S
        kept = cookies.cookie(name, value, root=visit.root, secure=visit.is_secure, age_s=age_s)
        answer.headers.append("set-cookie", kept)
    return answer
