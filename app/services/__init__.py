"""The only place with rules. Services never commit; the edges that call them do."""
