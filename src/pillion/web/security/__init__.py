"""Who may come in, from where, and what a browser may do with what it gets (section 5 of the brief)."""
