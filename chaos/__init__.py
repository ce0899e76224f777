"""Chaos: a mixed fleet under load, everything killed and broken by a seed, and then the books are balanced."""
