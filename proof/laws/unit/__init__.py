"""Laws of the fake, and of units in asyncio tasks."""
