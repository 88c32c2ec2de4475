"""What arrives from runtimes, turned into rows."""
