"""Django: pushes that wait for the commit of `transaction.atomic()` (F019, F021). See docs/guides/transactions.md."""

from pillion.contrib.django.transactions import watch

__all__ = ["watch"]
