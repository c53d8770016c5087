"""The business: attrs classes and the rules they keep, without any storage."""
