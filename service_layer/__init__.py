"""What the application does: use cases, and the unit of work in which each of them runs."""
