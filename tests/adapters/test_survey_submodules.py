"""What `init` says of submodules, proposed where they may be fetched, and of files in git LFS, which are named."""

from __future__ import annotations

import pytest

from adapters.survey.submodules import with_submodules
from adapters.survey.surveyor import survey
from commands.furnishing import Furnishing
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from tests.adapters.test_check_environments import policy
from tests.adapters.test_languages import Tree

REMOTE = "https://git.example.com/team/app.git"
LIB = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../lib.git\n'
LOCAL = '[submodule "own"]\n\tpath = own\n\turl = /srv/git/own.git\n'
CHECKED = {"p.py": "", "tests/test_p.py": "def test_p(): ...\n"}


class Repository(Tree):
    """With submodules, at any commit."""

    links: tuple[str, ...] = ()

    def gitlinks(self, _commit: str) -> dict[str, str]:
        return dict.fromkeys(self.links, "a" * 40)


def look(files: dict[str, str], *links: str, remote: str = REMOTE):
    repository = Repository(CHECKED | files)
    repository.links = links
    return with_submodules(survey(repository, "c"), repository, "c", remote)


def test_those_that_may_be_fetched_are_proposed():
    """From whom, too; a relative address is beside the target's own."""
    seen = look({".gitmodules": LIB}, "vendor/lib")
    assert (True, ("git.example.com:443",)) == (seen.environment.submodules, seen.environment.git_hosts)
    assert "Submodules (vendor/lib) are fetched from git.example.com:443 for the checks." in seen.notes


def test_the_others_are_named_with_the_reason():
    """A folder of this machine, one without an address."""
    seen = look({".gitmodules": LIB + LOCAL}, "vendor/lib", "own", "stray")
    assert ("vendor/lib",) == seen.environment.submodules
    said = " ".join(seen.notes)
    assert "The submodule own is not checked out: its address '/srv/git/own.git' is refused" in said
    assert "The submodule stray is not checked out: `.gitmodules` names no address for it" in said


@pytest.mark.parametrize("text", [LOCAL.replace("own", "vendor/lib"), "[broken", ""])
def test_where_none_may_be_fetched_nothing_is_proposed(text):
    """The environment is as without."""
    seen = look({".gitmodules": text}, "vendor/lib")
    assert (False, ()) == (seen.environment.submodules, seen.environment.git_hosts)
    assert any(note.startswith("The submodule vendor/lib is not checked out") for note in seen.notes)


def test_beside_a_remote_on_this_machine_none_is_fetched():
    """What is relative to a folder is a folder."""
    assert not look({".gitmodules": LIB}, "vendor/lib", remote="/srv/git/app.git").environment.submodules


def test_files_in_lfs_are_named():
    """They are pointers for every check."""
    said = "# *.x filter=lfs\n*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt text\n"
    seen = look({".gitattributes": said, "data/.gitattributes": "*.npy filter=lfs\n"})
    note = "Files in git LFS (*.bin and *.npy) are not fetched: they stay pointers. A check that needs one fails."
    assert note in seen.notes
    assert not [note for note in look({".gitattributes": "*.txt text\n"}).notes if "LFS" in note]


class Trying(Furnishing):
    """Where the host of submodules does not answer."""

    def _policy(self, name: str, text: str) -> EffectivePolicy:
        return policy(submodules=True, git_hosts=("git.example.com:443",)) if "with" in text else policy()

    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        if policy.target.environment.submodules:
            raise EnvironmentUnavailable("the submodule vendor/lib (https://x): could not be fetched: refused")
        return CheckEnvironment(digest="", path=__file__, guest="/env")


def test_a_host_that_does_not_answer_costs_the_submodules_alone(tmp_path):
    """What is declared is installed all the same, and it is said."""
    told: list[str] = []
    trying = Trying(told.append, tmp_path / "log")
    seen = look({".gitmodules": LIB}, "vendor/lib")
    made, _, _ = trying.furnish(seen, "x", lambda seen: "with" if seen.environment.submodules else "")
    assert (False, ()) == (made.environment.submodules, made.environment.git_hosts)
    why = "the submodule vendor/lib (https://x): could not be fetched: refused"
    assert f"Submodules are not checked out: {why}. A check that needs one fails." in made.notes
    assert not [each for each in made.notes if "are fetched from" in each]
