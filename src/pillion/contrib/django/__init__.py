"""Django: pushes that wait for the commit of `transaction.atomic()` (F019, F021). See docs/guides/transactions.md."""

from pillion.contrib.django.transactions import transaction_of, watch

__all__ = ["transaction_of", "watch"]
