"""Laws of the HTTP server, whatever it serves."""
