"""Pure ASGI middleware, one small class a file."""
