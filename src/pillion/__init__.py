"""Pillion: Sidekiq for Python."""

from pillion._version import VERSION as __version__

__all__ = ["__version__"]
