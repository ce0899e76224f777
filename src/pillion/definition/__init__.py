"""What is known about a job before it runs: its name, options, signature; and the registry of all jobs."""
