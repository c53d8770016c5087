"""Proofs about the tests themselves."""
