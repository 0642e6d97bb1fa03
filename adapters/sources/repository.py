"""ports.sources.Connector: a file of the base."""

from policies.settings.sources import SourcePolicy
from ports.sources import SourceAnswer, SourceRequest


class RepositorySource:
    """Read as committed: no checkout, no filter."""

    def fetch(self, source: SourcePolicy, request: SourceRequest) -> SourceAnswer:
        """The file's bytes."""
        assert source.repository is not None  # noqa: S101  # the connector's row is chosen by it
        path = source.repository.path
        body = request.repository.read(request.base_sha, path)
        problem = "" if body is not None else f"the base has no {path}"
        return SourceAnswer(f"{path} at {request.base_sha[:12]}", body, problem)
