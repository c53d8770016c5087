"""The house rules: who may import whom."""
