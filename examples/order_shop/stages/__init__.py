"""The stages of the tutorial in docs/tutorial: how the shop's jobs became what they are in shop/jobs.py."""
