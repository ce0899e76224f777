"""`python -m shop`: what the pages do, and what cron does, from a terminal."""

from shop.cli import main

main()
