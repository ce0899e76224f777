"""The benchmark against every peer: `python -m bench.full` or `make bench-full`."""
