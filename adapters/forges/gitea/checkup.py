"""Whether a target's Gitea can be used as its file says."""

from collections.abc import Iterator
from http import HTTPStatus

from adapters.forges.gitea.api import GiteaRepository
from adapters.forges.http.checkup import Checkup
from contracts.forge_facts import AccessFinding
from policies.run.strangers import OURS
from policies.settings.schema import Target
from ports.forge import ForgeError

_NO_BRANCH = f"{OURS}~"
"""No branch can be called so: asked to delete it, Gitea says whether it is protected, and deletes nothing."""


def check_gitea(target: Target) -> Iterator[AccessFinding]:
    """What ``doctor`` says."""
    return _GiteaCheckup(target, GiteaRepository).rows()


class _GiteaCheckup(Checkup[GiteaRepository]):
    def own_branches(self, writer: GiteaRepository) -> AccessFinding | None:
        """A protection that covers our branches: only administrators learn its rules, writers what a branch takes."""
        reply = writer.act("DELETE", f"/branches/{_NO_BRANCH}")
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        ours = writer.our_branch()
        if ours and writer.branch(ours).user_can_push:
            return None
        if ours:
            return self.sick("branches", f"{ours} is a protected branch, and takes no push of {self.account}")
        if reply.status == HTTPStatus.FORBIDDEN and "protected" in reply.said:
            detail = f"{OURS}** is a protected branch, and could not find out whether it takes pushes of {self.account}"
            return self.sick("branches", detail)
        raise ForgeError(writer.http.complaint(reply, f"the question whether {OURS}** is protected"))

    def more(self, writer: GiteaRepository) -> Iterator[AccessFinding]:
        """Only a rollback by commit needs to push to the base."""
        base = self.target.base_branch
        if self.target.rollback_strategy == "revert_commit" and not writer.branch(base).user_can_push:
            remedy = f'set rollback_strategy = "revert_pr" in targets/{self.target.name}.toml'
            detail = f"{base} takes no push of the account, and rollback_strategy is revert_commit"
            yield self.sick("rollback", detail, remedy)

    def protection(self, reader: GiteaRepository) -> str:
        """With the checks that it requires."""
        found = reader.branch(self.target.base_branch)
        checks = ", ".join(found.status_check_contexts or ()) if found.enable_status_check else ""
        return f"protected, required checks: {checks or 'none'}" if found.protected else "not protected"
