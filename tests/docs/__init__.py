"""Tests that hold the pages and samples against the program. Delete them with the pages that you do not keep."""
