"""How the ports of the inner layers are kept: by SQL databases, and by a fake that callers cannot tell from them."""
