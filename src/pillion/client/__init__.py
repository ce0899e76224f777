"""Clients: what turns a call into a payload in Redis, from threads (Client) and from asyncio (AsyncClient)."""

from pillion.client.clients import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
