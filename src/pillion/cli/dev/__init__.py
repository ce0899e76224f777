"""`pillion dev`: worker, embedded Redis and further commands in one terminal, and a new worker when code changes.

From the bottom: `lines` prints, `changes` watches files, `minder` and `children` run processes, `session` decides
what happens when, `command` is the command line.
"""
