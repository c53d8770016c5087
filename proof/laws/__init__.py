"""The laws of the skeleton itself: what aggregates can be made of, and what each database does."""
