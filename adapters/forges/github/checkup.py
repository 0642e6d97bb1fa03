"""Whether a target's GitHub can be used as its file says."""

from collections.abc import Iterator

from adapters.forges.github.api import GitHubRepository
from adapters.forges.http.checkup import Checkup
from contracts.forge_facts import AccessFinding
from policies.run.strangers import OURS
from policies.settings.schema import Target

_REFUSE = frozenset(
    {
        "creation", "update", "pull_request", "required_status_checks", "required_signatures",
        "required_deployments", "merge_queue", "workflows",
    }
)  # fmt: skip
"""Rules under which a branch takes no push of ours."""
_ALLOW = frozenset(
    {
        "deletion", "non_fast_forward", "required_linear_history", "copilot_code_review", "max_file_size",
        "max_file_path_length", "file_path_restriction", "file_extension_restriction",
    }
)  # fmt: skip
"""Rules that do not keep a new branch out for whose it is; what others ask for is nothing that a look can tell."""


def check_github(target: Target) -> Iterator[AccessFinding]:
    """What ``doctor`` says."""
    return _GitHubCheckup(target, GitHubRepository).rows()


class _GitHubCheckup(Checkup[GitHubRepository]):
    def mute(self) -> str:
        """GitHub's refusal does not name the permission."""
        access = self.target.forge_access
        holder = "the App" if access.app.id else f"the token of the variable {access.write.variable}"
        return f"give {holder} the permission Issues: read and write"

    def own_branches(self, writer: GitHubRepository) -> AccessFinding | None:
        """What rulesets and classic protection lay on our branches."""
        account, unknown = self.account, f"could not find out whether {self.account} may push"
        rules = writer.rules(f"{OURS}new")
        kinds = {rule.type: rule for rule in rules if rule.type not in _ALLOW and not writer.passes(rule)}
        if kinds:
            refused = [kind for kind in kinds if kind in _REFUSE]
            rule = kinds[(refused or [*kinds])[0]]
            what = f"a ruleset lets {account} push no {OURS}**" if refused else f"{unknown} {OURS}** under a ruleset"
            remedy = f"add {account} to the bypass list of ruleset {rule.ruleset_id} of {rule.ruleset_source}, "
            remedy += f"or take {OURS}** out of it"
            return self.sick("branches", f"{what}: {', '.join(refused or kinds)}", remedy)
        if not rules and (ours := writer.protected_branch(OURS)):
            detail = f"{ours} is protected: {unknown} to this protected branch, GitHub tells administrators alone"
            return self.sick("branches", detail)
        detail = f"no ruleset keeps {account} from {OURS}**"
        detail += "" if rules else f"; could not find out about classic protection of them: none of {OURS}** is"
        return AccessFinding(name="branches", ok=True, detail=detail)

    def protection(self, reader: GitHubRepository) -> str:
        """Whether it is."""
        return "protected" if reader.branch(self.target.base_branch).protected else "not protected"
