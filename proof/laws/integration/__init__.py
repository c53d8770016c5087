"""Laws that only a real database can break."""
