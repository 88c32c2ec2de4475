"""What goes in and out of services: validated input, declared output."""
