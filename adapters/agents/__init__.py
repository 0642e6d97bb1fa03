"""Agent backends behind ``ports.agents``."""
