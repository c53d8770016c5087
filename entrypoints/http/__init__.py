"""The application over HTTP: one file for each aggregate, and what all of them share."""
