"""What holds under stress: many units of work at once, on real databases, checked by what they were told."""
