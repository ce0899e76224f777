"""Speed, side by side: `python -m bench` or `make bench`. Never part of the tests."""
