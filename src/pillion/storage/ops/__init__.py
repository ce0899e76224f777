"""Each change or read of Redis as a value (an `Op`): what to send and how to read the reply. No I/O here."""
