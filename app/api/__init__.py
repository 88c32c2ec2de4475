"""The JSON surface, and what it shares with the pages: dependencies and the error table."""
