"""Tests that compare the pages and samples with the program. Delete them with the pages that you do not keep."""
