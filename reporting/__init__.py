"""How a report looks: pages, terminal output, JSON Schemas. Judges nothing."""
