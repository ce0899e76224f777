"""Middleware: your code around every push (ClientChain) and around every run (ServerChain)."""

from pillion.middleware.chain import Chain, ClientChain, ClientMiddleware, Entry, ServerChain, ServerMiddleware
from pillion.middleware.retry_jobs import RetryJobs

__all__ = ["Chain", "ClientChain", "ClientMiddleware", "Entry", "RetryJobs", "ServerChain", "ServerMiddleware"]
