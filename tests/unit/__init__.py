"""Domain and use cases on the fake, without a database."""
