"""What is special about the databases: engines, errors, migrations."""
