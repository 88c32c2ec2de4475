"""How the product is put on the network: connections, their limits, and their end."""
