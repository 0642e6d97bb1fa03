"""A charter that is over-broad, or contradicts itself, is refused at load, with what to do instead (P6, P9)."""

import re
import tomllib

import pytest

from activities import api
from adapters.agents.backends import KNOWN as KNOWN_HERE
from policies.agents.charter import Known, charter_faults
from policies.settings.schema import Autopilot, Charter, ProtectedPaths
from tests.policies.sample_policy import ROOT, raw

KNOWN = Known(
    recipes=("codex", "claude"),
    prompts=("review", "triaging"),
    priced=lambda url, model, tokens: (
        tokens * 10 / 1e6 if (url, model) == ("https://models.example/v1", "listed") else None
    ),
)
PROVIDERS = {"lab": {"url": "https://models.example/v1", "key_variable": "LAB_KEY"}}
PRICES = {"big": {"input": 3, "output": 15}, "small": {"input": 1, "output": 2}, "home": {"input": 0, "output": 0}}
MODEL = {"backend": "model", "provider": "lab", "models": ["small"], "usd": 1.0, "tokens": 100_000}
AGENT = {"backend": "command", "provider": "lab", "models": ["big"], "agent": "codex", "usd": 2.0, "tokens": 200_000}


def said(roles, providers=PROVIDERS, prices=PRICES, known=KNOWN, trials=None, **caps):
    """``key: problem`` of the shipped charter with these roles."""
    whole = raw("policies/charter.toml")
    shaped = {"roles": whole["roles"] | roles, "providers": providers, "prices": prices, "trials": trials or {}}
    charter = Charter.model_validate(shaped)
    protected = ProtectedPaths.model_validate(raw("policies/protected_paths.toml"))
    shipped = Autopilot.model_validate(raw("policies/autopilot.toml")).caps
    found = charter_faults(charter, protected, shipped.model_copy(update=caps), known)
    return [f"{'.'.join(map(str, fault.key))}: {fault.problem}" for fault in found]


def test_what_is_sound_has_no_fault():
    """Every role that may be an agent's, a price of our own list, a local server that costs nothing."""
    assert said({}) == []
    roles = dict.fromkeys(("triaging", "planning", "review", "scout", "source_qa"), MODEL)
    assert said(roles | {"coding": AGENT | {"rounds": 2, "shown": ["AGENTS.md"], "hosts": ["pypi.example:443"]}}) == []
    assert said({"planning": MODEL | {"models": ["listed"]}}) == []
    assert said({"coding": AGENT | {"folder": "/srv/agents/mine"}}) == []
    assert said({"coding": AGENT | {"folder": "/home/ann/agents"}}) == []
    here = {"lab": {"url": "http://127.0.0.1:8000"}}
    assert said({"planning": MODEL | {"models": ["home"], "usd": 0.0}}, providers=here) == []


ROWS = [
    (
        {"sensing": MODEL},
        "roles.sensing.backend: sensing is no agent's part: it measures, or decides by rules; leave it to 'tools'",
    ),
    (
        {"coding": MODEL},
        (
            "roles.coding.backend: coding is not for 'model' (a model only answers, and who codes edits files); use"
            " 'command' or 'tools'"
        ),
    ),
    (
        {"review": AGENT},
        "roles.review.backend: review is not for 'command' (it gives an answer, no change); use 'model' or 'tools'",
    ),
    (
        {"planning": MODEL | {"provider": ""}},
        "roles.planning.provider: must be set: the name of a [providers] table that 'model' asks",
    ),
    ({"planning": MODEL | {"provider": "lap"}}, "roles.planning.provider: no [providers.lap]; known: lab"),
    (
        {"planning": MODEL | {"models": []}},
        "roles.planning.models: must name at least one model that may be asked",
    ),
    ({"planning": MODEL | {"models": ["small", "small"]}}, "roles.planning.models: names 'small' twice"),
    (
        {"planning": MODEL | {"models": ["new"]}},
        "roles.planning.models: no price is known of 'new'; add [prices.\"new\"] with input and output",
    ),
    (
        {"planning": MODEL | {"usd": 0}},
        (
            "roles.planning.usd: one answer of 'small' may cost 0.016 USD, and the step may cost 0:"
            " nothing would be asked;"
            " raise usd or lower output_tokens"
        ),
    ),
    (
        {"planning": MODEL | {"models": ["listed"], "usd": 0.05}},
        (
            "roles.planning.usd: one answer of 'listed' may cost 0.08 USD, and the step may cost 0.05: nothing would be"
            " asked; raise usd or lower output_tokens"
        ),
    ),
    (
        {"planning": MODEL | {"tokens": 0}},
        (
            "roles.planning.tokens: 0 tokens do not hold one answer of output_tokens = 8000, so nothing would be asked;"
            " raise tokens or lower output_tokens"
        ),
    ),
    (
        {"planning": MODEL | {"usd": 6}},
        (
            "roles.planning.usd: 6.0 is more than a whole run may take (caps.usd_per_run = 5.0); lower it, or raise"
            " the cap"
        ),
    ),
    (
        {"coding": AGENT | {"minutes": 31}},
        (
            "roles.coding.minutes: 31 is more than a whole run may take"
            " (caps.agent_minutes_per_run = 30); lower it, or"
            " raise the cap"
        ),
    ),
    (
        {"planning": MODEL | {"hosts": ["pypi.example:443"]}},
        (
            'roles.planning.hosts: is for a program (backend = "command"); a model reaches nothing'
            " and runs nothing: take"
            " it out"
        ),
    ),
    (
        {"planning": {"provider": "lab"}},
        "roles.planning.provider: 'tools' asks no agent; take it out, or name the backend command or model",
    ),
    (
        {"coding": {"rounds": 1}},
        "roles.coding.rounds: 'tools' asks no agent; take it out, or name the backend command or model",
    ),
    ({"planning": MODEL | {"rounds": 1}}, "roles.planning.rounds: only coding has rounds; take it out here"),
    (
        {"planning": MODEL | {"prompt": "mine"}},
        "roles.planning.prompt: no prompt is named 'mine'; known: review, triaging",
    ),
    (
        {"coding": AGENT | {"argv": ["./x"]}},
        "roles.coding.argv: agent = 'codex' brings its own; keep one of the two",
    ),
    (
        {"coding": AGENT | {"agent": ""}},
        "roles.coding.agent: must be set: a recipe, or argv with a program of your own",
    ),
    (
        {"coding": AGENT | {"prompt": "review"}},
        "roles.coding.prompt: is for a model; what a program is told is its task: take it out",
    ),
    ({"coding": AGENT | {"agent": "copilot"}}, "roles.coding.agent: 'copilot' is no recipe; known: claude, codex"),
    (
        {"coding": AGENT | {"hosts": ["10.1.2.3:443"]}},
        "roles.coding.hosts: 10.1.2.3:443 is this machine or its own network, which no agent may reach; take it out",
    ),
    (
        {"coding": AGENT | {"hosts": ["models.example:443"]}},
        (
            "roles.coding.hosts: models.example:443 is where the model answers: it is reached by"
            " our gateway alone; take"
            " it out"
        ),
    ),
    (
        {"coding": AGENT | {"hosts": ["pypi.example:70000"]}},
        "roles.coding.hosts: pypi.example:70000 has no port that exists",
    ),
    *(
        (
            {"coding": AGENT | {"folder": folder}},
            (
                f"roles.coding.folder: {folder!r} holds more than an agent's program, and all of it would be shown:"
                " name the agent's own folder"
            ),
        )
        for folder in ("/", "/root", "/home/ann", "/proc/1/root/opt", "/etc/agents", "//etc")
    ),
    *(
        (
            {"coding": AGENT | {"folder": folder}},
            f"roles.coding.folder: {folder!r} must be a whole path, from / on, without ..",
        )
        for folder in ("agents/mine", "~/agents", "/srv/agents/../..")
    ),
    (
        {"coding": AGENT | {"shown": ["docs/.env"]}},
        "roles.coding.shown: 'docs/.env' is protected (secrets); no agent is shown it: take it out",
    ),
    (
        {"coding": AGENT | {"shown": ["../AGENTS.md"]}},
        "roles.coding.shown: '../AGENTS.md' is no path inside the repository",
    ),
    (
        {"coding": AGENT, "review": MODEL | {"models": ["small", "big"]}},
        (
            "roles.review.models: big may also code (roles.coding); who reviews must be another model: name one, or"
            " review by 'tools'"
        ),
    ),
]


@pytest.mark.parametrize(("roles", "expected"), ROWS, ids=[row[1].partition(":")[0] for row in ROWS])
def test_each_fault_says_what_to_do(roles, expected):
    """One fault, one sentence."""
    assert said(roles) == [expected]


@pytest.mark.parametrize(
    ("role", "step", "most"),
    [("coding", api.CODE, 45), ("triaging", api.TRIAGE, 15), ("planning", api.PLAN, 15), ("review", api.REVIEW, 25)],
)
def test_an_agent_ends_before_its_step_does(role, step, most):
    """Where the run's cap is high, the step's time still is what it is."""
    minutes = int(step.start_to_close.total_seconds() / 60)
    agent = AGENT if role == "coding" else MODEL
    problem = f"{minutes} minutes do not fit into the time of its step, with what is measured there; at most {most}"
    assert [f"roles.{role}.minutes: {problem}"] == said({role: agent | {"minutes": minutes}}, agent_minutes_per_run=200)
    assert [] == said({role: agent | {"minutes": most}}, agent_minutes_per_run=200)


def test_no_model_of_another_role_is_reached_past_the_gateway_either():
    """Where any provider answers is no host of a program's."""
    providers = PROVIDERS | {"other": {"url": "https://other.example"}}
    [found] = said({"coding": AGENT | {"hosts": ["other.example:443"]}}, providers)
    assert "other.example:443 is where the model answers" in found


def test_whom_a_person_tries_is_held_to_the_same():
    """Also to be another model than reviews."""
    assert said({}, trials={"mine": AGENT}) == []
    assert said({}, trials={"mine": MODEL})[0].startswith("trials.mine.backend: coding is not for 'model'")
    (found,) = said({"review": MODEL | {"models": ["big"]}}, trials={"mine": AGENT})
    assert "big may also code (trials.mine); who reviews must be another model" in found


@pytest.mark.parametrize(
    "name",
    [
        "maker/big-4.5",
        "big-4-5-20250929",
        "big-4-5-2025-09-29",
        "maker/Big-4.5:free",
        "big-4-5@20250929",
        "big-4-5-latest",
    ],
)
def test_another_name_is_no_other_model(name):
    """Whoever codes does not review under the name that it has elsewhere, or of a day."""
    prices = {model: {"input": 1, "output": 2} for model in ("big-4-5", "big-4-6", "big-4-5-mini", name)}
    coder = AGENT | {"models": ["big-4-5"]}
    [found] = said({"coding": coder, "review": MODEL | {"models": [name]}}, prices=prices)
    assert f"{name} may also code" in found
    for other in ("big-4-6", "big-4-5-mini"):
        assert said({"coding": coder, "review": MODEL | {"models": [other]}}, prices=prices) == []


@pytest.mark.parametrize("role", ["orchestrator", "gatekeeper", "checks", "release", "audit", "integrator"])
def test_what_judges_is_never_an_agents_part(role):
    """Whoever is judged must not judge (P6)."""
    assert any("is no agent's part" in each for each in said({role: MODEL}))
    assert any("is no agent's part" in each for each in said({role: AGENT}))
    assert said({role: {"backend": "tools"}}) == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://localhost:11434", ""),
        ("http://[::1]:8000", ""),
        ("http://127.0.0.9/v1", ""),
        ("https://models.example", ""),
        ("http://models.example", "plain http would send the key readably to models.example"),
        ("http://localhost.example", "plain http would send the key readably to localhost.example"),
        ("http://127.0.0.1.example", "plain http would send the key readably to 127.0.0.1.example"),
        ("https://models.example:99999", "is no address"),
    ],
)
def test_the_key_goes_over_no_open_wire(url, problem):
    """Plain http only where it stays on this machine."""
    found = said({}, providers={"lab": {"url": url}})
    assert [problem in each for each in found] == [True] * bool(problem)


def test_the_guides_examples_are_sound():
    """Each as it stands, and both together, in the charter that a new operator has."""
    text = (ROOT / "docs/agents.md").read_text(encoding="utf-8")
    tables = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    assert len(tables) >= 4
    providers = {name: said for each in tables for name, said in each.get("providers", {}).items()}
    prices = {name: said for each in tables for name, said in each.get("prices", {}).items()}
    roles = {name: said for each in tables for name, said in each.get("roles", {}).items()}
    assert {"coding", "review"} == set(roles)
    assert said(roles, providers, prices, KNOWN_HERE) == []
    assert roles["coding"]["agent"] in KNOWN_HERE.recipes
