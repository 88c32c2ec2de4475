"""Running agents through the model provider, as executions that are seen while they run."""
