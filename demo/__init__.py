"""The main job on a real package: ``make demo``."""
