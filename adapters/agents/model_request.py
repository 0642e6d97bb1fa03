"""One request to a model by pydantic-ai's direct interface: no loop of its own, no repeats, over a unix socket.

How it ended is read from the gateway's record. Whatever the client library makes of an answer, or of its absence, is
only ever the text of an answer that will be judged.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient, AsyncHTTPTransport
from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from policies.counted import shortened

_NOT_A_KEY = "the gateway has the key"
_ADDRESS = "http://gateway"
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n```\s*", re.DOTALL)


async def ask(
    socket: Path, dialect: str, model: str, prompt: str, words: str, tools: Mapping[str, dict[str, Any]], most: int
) -> tuple[str, str]:
    """The tool that the model called, and its arguments as JSON; without a call, nothing and its words.

    Empty words: no answer came. What the library could not read is said in its place, in words that are no answer.

    Args:
        socket: the gateway's.
        dialect: ``chat``, ``responses`` or ``messages``.
        model: its name, as the provider calls it.
        prompt: our instructions.
        words: the question.
        tools: name to the JSON schema of the arguments; one of them is to be called.
        most: output tokens.
    """
    # No proxy of this machine's, no certificate, no cookie: the socket is the only way.
    async with AsyncClient(
        transport=AsyncHTTPTransport(uds=str(socket), retries=0), trust_env=False, timeout=None
    ) as client:
        parameters = ModelRequestParameters(
            output_tools=[
                ToolDefinition(name=name, parameters_json_schema=schema, kind="output")
                for name, schema in tools.items()
            ],
            output_mode="tool",
            allow_text_output=False,
        )
        request = ModelRequest(parts=[UserPromptPart(words)], instructions=prompt)
        try:
            answer = await model_request(
                _model(dialect, model, client),
                [request],
                model_request_parameters=parameters,
                model_settings={"max_tokens": most},
            )
        except Exception as problem:
            # Also what a provider's answer makes the library raise; the gateway's record says what it was.
            return "", f"(unreadable: {type(problem).__name__}: {shortened(str(problem), 500)})"
    return _said(answer)


def _said(answer: ModelResponse) -> tuple[str, str]:
    for part in answer.parts:
        if isinstance(part, ToolCallPart):
            return part.tool_name, part.args_as_json_str()
    text = "".join(part.content for part in answer.parts if isinstance(part, TextPart))
    fenced = _FENCED.fullmatch(text)
    return "", fenced[1] if fenced else text


def _model(dialect: str, name: str, client: AsyncClient) -> Model:
    if dialect == "messages":
        from anthropic import AsyncAnthropic  # noqa: PLC0415  # one of two libraries, as the provider speaks
        from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415
        from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415

        theirs = AsyncAnthropic(api_key=_NOT_A_KEY, base_url=_ADDRESS, max_retries=0, http_client=client)
        return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=theirs))
    from openai import AsyncOpenAI  # noqa: PLC0415
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel  # noqa: PLC0415
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415

    ours = AsyncOpenAI(api_key=_NOT_A_KEY, base_url=f"{_ADDRESS}/v1", max_retries=0, http_client=client)
    kind = OpenAIChatModel if dialect == "chat" else OpenAIResponsesModel
    return kind(name, provider=OpenAIProvider(openai_client=ours))
