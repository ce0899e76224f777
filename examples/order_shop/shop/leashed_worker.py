"""What `make shop` loads into its worker before anything else: `pillion run -r shop.leashed_worker`."""

from shop import leash

leash.watch()
