"""From a request to its answer: one module for each kind of route."""
