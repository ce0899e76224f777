"""What checkers refuse of embedded workers."""

import pillion

pillion.EmbeddedWorker(2)  # E
pillion.EmbeddedWorker(concurrency="2")  # E
pillion.EmbeddedWorker(configure="shop")  # E
pillion.EmbeddedWorker().asgi(1)  # E
