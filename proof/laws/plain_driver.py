"""Connections of the plain drivers that bypass the project, to see what is really stored."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg2
from sqlalchemy import make_url

SECONDS = 10
"""How long to wait for a lock on SQLite."""


def connect(url: str) -> Any:
    """Return a connection to the database of this URL. Each statement on it is its own transaction."""
    parts = make_url(url)
    if parts.get_backend_name() == "sqlite":
        return sqlite3.connect(str(parts.database), timeout=SECONDS, isolation_level=None)
    if parts.get_backend_name() == "postgresql":
        connection = psycopg2.connect(parts.set(drivername="postgresql").render_as_string(hide_password=False))
        connection.autocommit = True
        return connection
    import pymysql  # not installed everywhere

    return pymysql.connect(
        host=str(parts.host),
        port=parts.port or 3306,
        user=parts.username,
        password=str(parts.password),
        database=parts.database,
        autocommit=True,
    )
