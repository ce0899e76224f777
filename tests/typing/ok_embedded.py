"""Embedded workers, as strict checkers see them."""

from typing import Any

from starlette.applications import Starlette

import pillion

worker = pillion.EmbeddedWorker(concurrency=1, queues=["high", ("low", 2)], timeout_s=2.5, require=["shop.jobs"])
app = Starlette(lifespan=worker.lifespan)


def configure(config: pillion.Config) -> None:
    config.tag = "web"


async def application(scope: Any, receive: Any, send: Any) -> None: ...


wrapped = pillion.EmbeddedWorker(configure=configure).asgi(application)

with worker as entered:
    running: bool = entered.running
    entered.quiet()


async def main() -> None:
    async with pillion.EmbeddedWorker() as own:
        own.stop(timeout_s=1)
