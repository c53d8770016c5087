"""The twin of adapters.sql, in memory: the same promises, for tests and for trying things out."""
