"""Middleware: your code around every push (ClientChain) and around every run (ServerChain)."""

from pillion.middleware.chain import Chain, ClientChain, ClientMiddleware, Entry, ServerChain, ServerMiddleware

__all__ = ["Chain", "ClientChain", "ClientMiddleware", "Entry", "ServerChain", "ServerMiddleware"]
