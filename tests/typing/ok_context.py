"""What a type checker must accept of context and helpers. Run by test_types.py; never executed."""

from collections.abc import Sequence
from contextvars import ContextVar

import pillion
from pillion import CircuitBreaker, CurrentAttributes, Job, Postponed, job, with_retry
from pillion.features.errors import ErrorCatcher
from pillion.middleware import LogArguments, SilenceTransientErrors, Timing


class Project:
    id: int
    path: str


class Current(CurrentAttributes):
    user_id: int | None = None
    tenant: str = "public"


trace: ContextVar[str] = ContextVar("trace")
pillion.persist(Current, {"trace_id": trace})
Current.user_id = 7
tenant: str = Current.tenant
with Current.set(tenant="acme"):
    Current.reset()

search = CircuitBreaker("search", threshold=5, window_s=300, when_open="raise", on=(OSError, "requests.Timeout"))


@with_retry(times=3, on=OSError, base=2)
def charge(order_id: int) -> str:
    return str(order_id)


@with_retry(on=["requests.Timeout"], give_up=lambda error: None)
async def charge_async(order_id: int) -> str:
    return str(order_id)


receipt: str = charge(1)


class Pay(Job):
    transient_exceptions = (OSError, "stripe.RateLimitError")
    carries_context = False

    def perform(self, order_id: int) -> None:
        with self.with_context(project="shop", user=None, attempt=self.attempt):
            charge(order_id)
        with self.lock(f"payment:{order_id}", timeout_s=300) as held, self.once("a", ttl_s=60) as first:
            held.extend(60)
            is_first: bool = first
            print(is_first)
        with search, pillion.lock("x"), pillion.once("y"):
            raise Postponed(60)


@job
async def settle(order_id: int) -> None:
    text: str = await charge_async(order_id)
    async with pillion.lock(text) as held, pillion.once(text) as first, search:
        await held.extend_aio()
        print(first)
    facts: dict[str, str | int | float | bool] = pillion.current_context()
    print(facts)


def push(projects: Sequence[Project]) -> list[str | None]:
    with pillion.context(project="shop", plan=1, paid=True, share=0.5, user=None):
        return Pay.bulk_perform_async_with_contexts(
            projects, arguments=lambda p: [p.id], context=lambda p: {"project": p.path, "user": None}
        )


def push_later(projects: Sequence[Project]) -> list[str | None]:
    return settle.bulk_perform_in_with_contexts(
        300, projects, arguments=lambda p: p.id, context=lambda p: {"project": p.path}, batch_size=10
    )


def configure(config: pillion.Config) -> None:
    config.server_middleware.add(SilenceTransientErrors(["requests.Timeout"]))
    config.server_middleware.add(SilenceTransientErrors, [OSError])
    config.server_middleware.add(LogArguments(hide=["iban"], show=["email"]))
    config.server_middleware.add(Timing(lambda name, ms, tags: print(name, ms, tags["class"])))
    catcher = ErrorCatcher(lambda error, context: None, report_errors="final")
    catcher.ignored_errors.add(OSError)
    catcher.install(config)
