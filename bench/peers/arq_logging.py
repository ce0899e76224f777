"""arq logs at INFO unless it is told otherwise."""

QUIET = {"version": 1, "disable_existing_loggers": False, "loggers": {"arq": {"level": "WARNING"}}}
