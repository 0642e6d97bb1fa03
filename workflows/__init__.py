"""Durable flows: order, waiting, state. No I/O; every effect is an activity named in ``activities.api``."""
