"""What the integrations of database libraries share: how a process comes to know of their open transactions."""

from __future__ import annotations

import pillion
from pillion.client.transactions import Lookup
from pillion.config import Config


def add_lookup(lookup: Lookup, config: Config | None) -> None:
    """Have `config` ask `lookup` which transactions are open; if None, the config that this process has or will have.

    Adding it again changes nothing.
    """

    def block(config: Config) -> None:
        if lookup not in config.transactions:
            config.transactions.append(lookup)

    if config is not None:
        block(config)
        return
    pillion.configure_client(block)
    pillion.configure_server(block)
