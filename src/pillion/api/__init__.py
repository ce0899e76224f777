"""The data API: see and do everything that an operator or a script wants to (behaviour 18).

    from pillion.api import Queue, RetrySet

    Queue("mail").size()                   # from a thread
    await Queue("mail").size.aio()         # from an event loop
    for job in Queue("mail"): ...          # pages, never all at once; also `async for`
    Queue("mail").size.explain()           # 'LLEN; O(1); 1 round trip'

Each name is loaded when it is first used. Worker processes never need any of this.
"""
