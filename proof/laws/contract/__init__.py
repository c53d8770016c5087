"""Laws of what people model, each on every storage."""
