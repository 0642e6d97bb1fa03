"""gptme."""

from adapters.agents.recipes.recipe import AGENT, ENDPOINT, NO_KEY, PYTHON, Recipe, Registry

GPTME = Recipe(
    title="gptme",
    registry=Registry.PYPI,
    package="gptme",
    version="0.35.1",
    dialect="chat",
    argv=(
        *(*PYTHON, f"{AGENT}/bin/gptme", "--non-interactive", "--no-stream", "-m", "local/@MODEL@"),
        *("--tool-format", "tool", "-t", "shell,complete", "@TASK@"),
    ),
    environment={"OPENAI_BASE_URL": f"{ENDPOINT}/v1", "OPENAI_API_KEY": NO_KEY, "GPTME_CHECK": "false"},
    first_bytes=10_000,
    calls=("openaipublic.blob.core.windows.net:443",),
    seen=(
        "It takes seven requests where others need four.",
        "It asks for a table of tokens at its publisher's.",
        "133 MB of memory at most.",
    ),
)
