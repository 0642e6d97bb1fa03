"""The main job on a real package, ``make demo``; whatever else there is to see has a module of its own."""
