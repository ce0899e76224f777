"""`python -m pillion` is the `pillion` command."""

from pillion.cli.main import main

if __name__ == "__main__":
    main()
