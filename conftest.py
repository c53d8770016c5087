"""The fixtures of all tests, those of proof/ too."""

pytest_plugins = ["tests.fixtures", "tests.database_fixtures"]
