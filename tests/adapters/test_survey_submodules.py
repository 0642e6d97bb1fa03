"""What `init` says of submodules, proposed where they may be fetched, and of files in git LFS."""

from __future__ import annotations

import pytest

from adapters.survey.submodules import with_submodules
from adapters.survey.surveyor import survey
from commands.furnishing import Furnishing
from policies.paths.pointers import is_pointer
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.repository import PointerFile
from tests.adapters.lfs_world import pointer
from tests.adapters.test_check_environments import policy
from tests.adapters.test_languages import Tree

REMOTE = "https://git.example.com/team/app.git"
LIB = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = ../lib.git\n'
LOCAL = '[submodule "own"]\n\tpath = own\n\turl = /srv/git/own.git\n'
CHECKED = {"p.py": "", "tests/test_p.py": "def test_p(): ...\n"}


class Repository(Tree):
    """With submodules, at any commit."""

    links: tuple[str, ...] = ()

    def pointers(self, _commit: str) -> dict[str, PointerFile]:
        texts = {path: text.encode() for path, text in self._files.items()}
        return {path: PointerFile(text, executable=False) for path, text in texts.items() if is_pointer(text)}

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


ATTRIBUTES = "# *.x filter=lfs\n*.bin filter=lfs diff=lfs merge=lfs -text\n"


@pytest.mark.parametrize(
    ("files", "lfs", "said"),
    [
        ({".gitattributes": ATTRIBUTES}, True, "Files in git LFS (a.bin) are fetched for the checks; a tree keeps its"),
        ({"d/.gitattributes": ATTRIBUTES, ".lfsconfig": ""}, True, "`.lfsconfig` is not obeyed: if the server that"),
        ({".gitattributes": "*.txt text\n# *.bin filter=lfs\n"}, False, ""),
    ],
)
def test_files_in_lfs_are_proposed(files, lfs, said):
    """Where the repository says that it uses it, and a pointer is there; no file of it says whom to ask."""
    seen = look({"a.bin": pointer(b"x"), **files})
    assert lfs == seen.environment.lfs
    assert lfs == any(said in note for note in seen.notes if "fs" in note.lower())
    assert not look({".gitattributes": ATTRIBUTES, "a.bin": "no pointer"}).environment.lfs


class Trying(Furnishing):
    """Where the host of one of them does not answer."""

    setting = ""

    def _policy(self, name: str, text: str) -> EffectivePolicy:
        return policy(lfs="lfs" in text, submodules="sub" in text, git_hosts=("git.example.com:443",) if text else ())

    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        if self.setting and getattr(policy.target.environment, self.setting):
            problem = EnvironmentUnavailable(f"{self.setting} at https://x: could not be fetched: refused\nmore")
            problem.setting = self.setting
            raise problem
        return CheckEnvironment(digest="", path=__file__, guest="/env")


@pytest.mark.parametrize(
    ("setting", "told"),
    [("submodules", "Submodules are not checked out"), ("lfs", "Files in git LFS are not fetched")],
)
def test_a_host_that_does_not_answer_costs_what_it_has_alone(tmp_path, setting, told):
    """What is declared is installed all the same, the other is kept, and it is said."""
    trying = Trying([].append, tmp_path / "log")
    trying.setting = setting
    files = {".gitmodules": LIB, ".gitattributes": ATTRIBUTES, "a.bin": pointer(b"x")}
    seen = look(files, "vendor/lib")
    assert seen.environment.submodules is seen.environment.lfs is True

    def rendered(seen):
        return " ".join(name for name in ("lfs", "submodules") if getattr(seen.environment, name))

    made, _, _ = trying.furnish(seen, "x", rendered)
    assert {"submodules", "lfs"} - {setting} == set(rendered(made).split())
    assert f"{told}: {setting} at https://x: could not be fetched: refused. A check that needs one fails." in made.notes
    assert 1 == len([each for each in made.notes if "are fetched" in each])
