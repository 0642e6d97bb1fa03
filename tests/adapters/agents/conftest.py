"""The tools' backend, and packages as people write them."""

from tests.adapters.tools.conftest import backend, repo

__all__ = ["backend", "repo"]
