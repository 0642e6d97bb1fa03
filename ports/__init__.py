"""What the steps need from the outside world, as small protocols. Activities know these, never an adapter."""
