"""What the business knows: attrs classes and the rules they keep, free of any storage."""
