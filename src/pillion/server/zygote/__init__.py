"""Zygote: the process that loads the app and forks the children that jobs with `execution="process"` run in.

The worker executes it as `python -m pillion.server.zygote`, so that no thread of the worker was ever in it.
`pillion.server.isolation` is the worker's side, with the design record.
"""
