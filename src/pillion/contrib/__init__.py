"""Additions that nothing else needs: integrations with frameworks, and habits of other systems."""
