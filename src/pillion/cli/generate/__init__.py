"""`pillion generate`: files to begin with. `names` reads what was asked for, `writing` writes it."""
