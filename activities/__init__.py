"""The steps: what touches the world, one module per capability, behind ports."""
