"""mini-swe-agent: readable Python around one shell."""

from adapters.agents.recipes.recipe import ENDPOINT, HOME, NO_KEY, PYTHON, Recipe, Registry

LITELLM = {
    "OPENAI_API_KEY": NO_KEY,
    "OPENAI_API_BASE": f"{ENDPOINT}/v1",
    # Else it asks for its price list at import, and waits for a network that is not there.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}

MINI_SWE_AGENT = Recipe(
    title="mini-swe-agent",
    registry=Registry.PYPI,
    package="mini-swe-agent",
    version="2.4.6",
    dialect="chat",
    argv=(
        *(*PYTHON, "-m", "minisweagent.run.mini", "-y", "--exit-immediately", "-m", "openai/@MODEL@"),
        *("-t", "@TASK@", "-o", f"{HOME}/trajectory.json", "-c", "mini.yaml", "-c", "agent.mode=yolo"),
    ),
    environment={
        **LITELLM,
        "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_GLOBAL_CONFIG_DIR": f"{HOME}/mini",
        "MSWEA_SILENT_STARTUP": "1",
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "1",
    },
    first_bytes=2_500,
    seen=(
        "It tells no events: what it says is plain text.",
        "It tries a refused request again for minutes unless a variable forbids it.",
        "A refusal of the model ends with status 0 and nothing done.",
        "420 MB of memory at most; seconds to start.",
    ),
)
