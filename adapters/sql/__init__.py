"""Storage in SQL databases, by SQLAlchemy."""
