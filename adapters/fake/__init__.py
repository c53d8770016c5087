"""The twin of adapters.sql in memory: it keeps the same promises, for tests and for trying things out."""
