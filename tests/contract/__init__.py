"""The promises of a unit of work, each on every backend."""
