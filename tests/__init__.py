"""The tests, from the fastest to the furthest: unit, contract, integration, e2e, architecture."""
