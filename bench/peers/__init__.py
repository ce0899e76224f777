"""The contestants: for each a small jobs module. These files run in the contestants' own virtual environments."""
