"""The product on the network: its connections, and its end."""
