"""The rules: TOML an operator edits, and pure functions that judge. No clock, disk, network, randomness, Temporal."""
