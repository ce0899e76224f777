"""A shop that takes orders: the order is stored, and jobs charge, send mail and ask for delivery."""
