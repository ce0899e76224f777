"""ApplicationJob: what all jobs of the shop share."""

from __future__ import annotations

from pillion import Job


class ApplicationJob(Job, backtrace=20, tags=["order-shop"]):
    """The base of the shop's jobs. Retries are those of Pillion: 25 times, over three weeks.

    `pillion generate job shop/refund_order` derives a new job from it, by the template in pillion_templates.
    """
