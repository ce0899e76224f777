"""`python -m chaos.board`: `pillion web` on a free port; its retries by hand count as generations, as chaos.bulk's."""

from __future__ import annotations

from typing import Any

from chaos.bulk import next_generation
from pillion.cli.web import command
from pillion.settings import sources


def main() -> None:
    load = sources.load_config

    def load_with_generations(*given: Any, **more: Any) -> sources.Settings:
        settings = load(*given, **more)
        settings.config.client_middleware.add(next_generation)
        return settings

    sources.load_config = load_with_generations
    command(["--port", "0"])


if __name__ == "__main__":
    main()
