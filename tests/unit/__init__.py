"""Domain and use cases on the fake: no database."""
