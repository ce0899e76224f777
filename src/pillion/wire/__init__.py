"""What is on the wire, and nothing else: names of Redis keys, the JSON form, the job payload.

Pure functions over plain values: no I/O, and clock and randomness are passed in. Whoever changes
a byte here changes what a Ruby Sidekiq in the same fleet reads.
"""
