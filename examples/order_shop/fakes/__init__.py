"""Four services of others, in one process and in memory: payments, email, fulfillment, error catcher."""
