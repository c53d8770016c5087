"""Stress tests: many units of work at the same time, on real databases, checked against their outcomes."""
