"""`pillion demo`: thousands of real jobs on this machine. `app` has the jobs, and is meant to be read."""
