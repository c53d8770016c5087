"""The fixtures that the proof shares with the tests."""

from __future__ import annotations

from tests.conftest import (  # noqa: F401  # pytest finds them here by their names
    mariadb_database,
    mariadb_server,
    postgres_database,
    postgres_server,
)
