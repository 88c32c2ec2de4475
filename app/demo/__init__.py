"""An invented company to look at: its people, agents and tools, and a month of runs."""
