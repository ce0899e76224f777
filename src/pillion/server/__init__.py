"""One worker process: fetch, run, settle; and the supervisor over several of them."""
