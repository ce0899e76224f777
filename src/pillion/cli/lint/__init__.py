"""`pillion lint`: what can be said about jobs from their source alone. `rules` is the table to add to."""
