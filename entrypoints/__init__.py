"""How the outside world reaches the use cases; bootstrap.py alone knows which adapters are used."""
