"""Where settings come from: flags, environment, pillion.toml, a Ruby fleet's sidekiq.yml; and which wins."""

from pillion.settings.sources import Settings, load_config

__all__ = ["Settings", "load_config"]
