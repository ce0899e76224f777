"""Templates: Jinja with escaping always on, and nothing undefined that passes for empty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined

from pillion.web import charts
from pillion.web.formats import Formats
from pillion.web.locale import Locale
from pillion.web.request_scope import RequestScope

FOLDER: Final = Path(__file__).parent / "templates"


class Templates:
    """Draws pages. Parameters: `folders` of extensions, whose templates are found after the dashboard's own.

    What a template knows: `page` (its view model), `scope` (who asks, and how addresses are made), `t` (texts),
    `fmt` (numbers and times as the locale writes them), `charts`, `languages` (all locales by code), and `fragment`
    (only `<main>` is wanted).
    """

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._environment = _environment(FOLDER, *folders)

    def render(
        self,
        name: str,
        *,
        page: Any,
        scope: RequestScope,
        locale: Locale,
        languages: Mapping[str, Locale],
        now_s: float,
        fragment: bool = False,
    ) -> str:
        """The page `pages/NAME.html` as text; `fragment` draws its `<main>` alone. `now_s` is epoch seconds."""
        template = self._environment.get_template(f"pages/{name}.html")
        return template.render(
            page=page,
            scope=scope,
            t=locale,
            fmt=Formats(locale, now_s),
            languages=languages,
            fragment=fragment,
        )


@cache
def _environment(*folders: Path) -> Environment:
    """Nothing in it changes; compiling the templates takes longer than all else at the start of a dashboard."""
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    drawing: Any = charts
    environment.globals["charts"] = drawing
    return environment
