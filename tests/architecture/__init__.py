"""The house rules: which packages may import which."""
