"""The durable engine: connection, embedded server, and conversations with Control."""
