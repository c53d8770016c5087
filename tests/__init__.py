"""The tests, from the fastest to the most remote: unit, contract, integration, e2e, architecture."""
