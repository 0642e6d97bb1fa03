"""A target only tightens; what makes no sense is found before it is used."""

import pytest

from contracts.modes import Mode, Role
from policies.digests import canonical_json, digest, policy_digest
from policies.settings.charter import Charter, RolePolicy
from policies.settings.schema import Autopilot, ProtectedPaths, Target
from policies.settings.sources import Sources
from policies.settings.tightening import faults
from tests.policies.sample_policy import policy, raw


def problems(autopilot=None, target=None, protected=None, charter=None):
    """Faults of the shipped files with some tables replaced."""
    common = raw("policies/autopilot.toml")
    return [
        (fault.file, fault.key)
        for fault in faults(
            Autopilot.model_validate(common | {k: common[k] | v for k, v in (autopilot or {}).items()}),
            ProtectedPaths.model_validate(raw("policies/protected_paths.toml") | (protected or {})),
            Charter.model_validate(raw("policies/charter.toml") | (charter or {})),
            Target.model_validate(raw("examples/targets/example.toml") | (target or {})),
        )
    ]


def test_the_shipped_files_have_no_fault():
    """They are what a new operator starts from."""
    assert [] == problems()


CHECK = {"name": "tests", "kind": "tests", "argv": ["true"]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"target": {"maximum_mode": "SELECTIVE_AUTO"}}, ("target", ("maximum_mode",))),
        ({"target": {"diff_budget": {"files": 9}}}, ("target", ("diff_budget", "files"))),
        ({"target": {"diff_budget": {"deletions": 1}}}, ("target", ("diff_budget", "deletions"))),
        (
            {"target": {"diff_budget": {"deletions_allowed_for": ["reliability_fix"]}}},
            ("target", ("diff_budget", "deletions_allowed_for")),
        ),
        ({"target": {"checks": [CHECK | {"seconds": 301}]}}, ("target", ("checks", 0, "seconds"))),
        ({"target": {"checks": [CHECK, CHECK]}}, ("target", ("checks", 1, "name"))),
        ({"target": {"allowed_paths": ["#x"]}}, ("target", ("allowed_paths",))),
        (
            {"target": {"protected": [{"patterns": ["!.env"], "reason": "x"}]}},
            ("target", ("protected", 0, "patterns")),
        ),
        (
            {"protected": {"protected": [{"patterns": ["["], "reason": "x"}]}},
            ("protected_paths", ("protected", 0, "patterns")),
        ),
        ({"charter": {"roles": {"coding": {}}}}, ("charter", ("roles",))),
        ({"autopilot": {"modes": {"first": "SELECTIVE_AUTO"}}}, ("autopilot", ("modes", "first"))),
        ({"autopilot": {"risk": {"files_touched": 0.5}}}, ("autopilot", ("risk",))),
        ({"autopilot": {"risk": {"high_from": 0.9}}}, ("autopilot", ("risk", "medium_from"))),
    ],
)
def test_faults(changes, expected):
    """Each names the file and key to look at."""
    assert expected in problems(**changes)


def test_the_merge_leaves_nothing_open():
    """Overrides are folded in; what a target does not say it inherits; the digest is of the result."""
    strict = policy({"diff_budget": {"lines": 100}}, {"maximum_mode": "DRY_RUN", "diff_budget": {"files": 2}})
    rules = policy(target={"protected": [{"patterns": ["/x"], "reason": "mine"}]}).protected_paths.protected

    assert (Mode.DRY_RUN, Mode.DRY_RUN) == (strict.autopilot.modes.maximum, strict.autopilot.modes.first)
    assert (2, 100) == (strict.autopilot.diff_budget.files, strict.autopilot.diff_budget.lines)
    assert strict.autopilot.diff_budget == strict.target.diff_budget
    assert "mine" == rules[-1].reason
    assert strict.digest == policy_digest(strict) != policy().digest


def test_canonical_json_has_one_spelling():
    """Order and spacing do not matter; undecodable names survive."""
    assert b'{"a":[1,"\\udce9"],"b":null}' == canonical_json({"b": None, "a": [1, "\udce9"]})


def test_a_policy_without_what_came_later_has_the_digest_of_before() -> None:
    """P15: a run that began under it goes on; with a source, or a policy folder, that counts like all else (P6)."""
    plain = policy()
    no_rule = {"checks": {"__all__": {"owner", "flaky_until"}}}
    of_a_role = {"__all__": set(RolePolicy.model_fields) - {"backend", "minutes", "usd", "tokens"}}
    of_agents = {"providers": True, "prices": True, "trials": True, "roles": of_a_role}
    later = {
        "digest": True,
        "sources": True,
        "standing": True,
        "charter": of_agents,
        "target": {"policy_folder": True, "issues": True} | no_rule,
        "protected_paths": {"agent_orders"},
    }
    before = digest(plain.model_dump(mode="json", exclude=later))
    source = {"name": "days", "repository": {"path": "x"}, "file": {"path": "y.json"}}
    with_one = plain.model_copy(update={"sources": Sources.model_validate({"sources": [source]})})
    assert before == plain.digest
    assert before != policy_digest(with_one)
    assert before != policy(target={"policy_folder": {}}).digest
    asking = plain.charter.roles[Role.CODING].model_copy(update={"models": ("a",)})
    charter = plain.charter.model_copy(update={"roles": {**plain.charter.roles, Role.CODING: asking}})
    assert before != policy_digest(plain.model_copy(update={"charter": charter}))


def test_a_policy_without_prepare_has_the_digest_of_before_there_was_any() -> None:
    """P15, likewise; with it, every setting of it counts (P6)."""
    plain = policy()
    said = plain.model_dump(mode="json")
    known = {"requirements", "extras", "groups", "packages", "without", "build", "python"}
    assert known == set(said["target"]["environment"])
    assert "fixers" not in said["target"]
    prepared = {"prepare": [["true"]], "keyed_by": ["x"]}
    found = {policy(target={"environment": prepared | more}).digest for more in ({}, {"minutes": 2}, {"keep": ["x"]})}
    assert len({plain.digest} | found) == 4
