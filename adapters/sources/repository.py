"""ports.sources.Connector: a file of the base."""

from policies.settings.sources import SourcePolicy
from ports.sources import Answered, Asked


class RepositorySource:
    """Read as committed: no checkout, no filter."""

    def fetch(self, source: SourcePolicy, asked: Asked) -> Answered:
        """The file's bytes."""
        assert source.repository is not None  # noqa: S101  # the connector's row is chosen by it
        path = source.repository.path
        body = asked.repository.read(asked.base_sha, path)
        problem = "" if body is not None else f"the base has no {path}"
        return Answered(f"{path} at {asked.base_sha[:12]}", body, problem)
