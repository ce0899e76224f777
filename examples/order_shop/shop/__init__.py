"""The order shop: pages that take orders, and jobs that charge, send mail and ask for delivery."""
