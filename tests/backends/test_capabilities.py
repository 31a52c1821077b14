"""What models can do, as data (M6): no recording contradicts it, and what nobody knows is None."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from graphrt.backends.base import Capabilities
from graphrt.backends.capabilities import capabilities_of
from graphrt.backends.dialects.anthropic_request import FAMILIES, traits_of
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.uri import open_backend
from tests.backends.replay import TRAFFIC

NOTHING = Capabilities()
SERVES = {
    ("openai", "responses"): "openai_responses",
    ("google_vertex", "messages"): "vertex_anthropic",
    ("bedrock", "invoke_anthropic"): "bedrock_anthropic",
    ("bedrock", "responses"): "openai_responses",
    ("llamacpp_server", "chat_completions"): "llama_server",
    ("azure_openai", "chat_completions"): "azure",
    ("moonshotai", "chat_completions"): "moonshot",
}


def can(provider: str, model: str) -> Capabilities:
    return capabilities_of(provider, model, NOTHING)


def known(found: Capabilities) -> dict[str, Any]:
    return {name: value for name, value in found if value is not None and name != "streaming"}


def named(exchange: dict[str, Any], body: dict[str, Any]) -> str:
    path = exchange["request"].get("url_path") or ""
    found = re.search(r"/(?:models|model)/([^:/]+)", path)
    return str(body.get("model") or (found[1] if found else ""))


def pictures(value: Any) -> bool:
    if isinstance(value, list):
        return any(pictures(each) for each in value)
    if not isinstance(value, dict):
        return False
    mine = value.get("type") in {"image", "image_url", "input_image"} or "inlineData" in value
    return mine or any(pictures(each) for each in value.values())


def seen() -> Iterator[tuple[str, str, str, str]]:
    """Who was recorded doing what: provider, model, the capability, the file."""
    for path in sorted(TRAFFIC.glob("*/*.json")):
        exchange = json.loads(path.read_text("utf-8"))
        body = (exchange.get("request") or {}).get("body")
        expected = exchange.get("expected") or {}
        if path.parent.name == "_constructed" or not isinstance(body, dict) or exchange["response"]["status"] >= 400:
            continue
        provider = SERVES.get((exchange["provider"], exchange["api"]), exchange["provider"])
        model = named(exchange, body)
        if not model or expected.get("error"):
            continue
        calls = expected.get("tool_calls") or []
        choice = json.dumps(body.get("tool_choice"))
        schema = (
            (body.get("response_format") or {}).get("type") == "json_schema"
            or ((body.get("text") or {}).get("format") or {}).get("type") == "json_schema"
            or "format" in (body.get("output_config") or {})
            or "responseJsonSchema" in (body.get("generationConfig") or {})
        )
        for shown, what in (
            (bool(calls), "tools"),
            (len(calls) > 1, "parallel_tools"),
            (bool(calls) and re.search(r'"(required|any|tool|function)"', choice), "forced_tool"),
            (schema, "json_schema"),
            (bool(expected.get("reasoning")), "reasoning"),
            (pictures(body.get("messages") or body.get("input") or body.get("contents")), "images"),
            (any((expected.get("usage") or {}).values()), "usage"),
            ("seed" in body and provider != "openai_responses", "seed"),
        ):
            if shown:
                yield str(provider), model, what, f"{path.parent.name}/{path.stem}"


def test_nothing_that_was_recorded_working_is_said_to_be_impossible() -> None:
    """Each capability that a recorded exchange shows is True, or None where nobody relies on it (M6)."""
    table = {(provider, model): can(provider, model) for provider, model, _, _ in seen()}
    wrong = [case for case in seen() if getattr(table[case[:2]], case[2]) is False]
    assert wrong == []
    agreed = {case[:3] for case in seen() if getattr(table[case[:2]], case[2]) is True}
    assert len(agreed) > 100 or not TRAFFIC.is_dir(), len(agreed)


def test_what_nobody_knows_is_none() -> None:
    """No guess about a server or a model that was never heard of."""
    for provider in ("openai_chat", "nobody"):
        assert known(can(provider, "some/model-x")) == {}
    for provider in ("openrouter", "together", "openai"):
        assert known(can(provider, "some/unheard-of")) == {"usage": True}


def test_a_family_is_found_under_dated_tuned_and_prefixed_names() -> None:
    for model in ("gpt-4o", "gpt-4o-2024-08-06", "ft:gpt-4o-mini:org::id"):
        assert can("openai", model).json_schema is True
    for model in ("gpt-4", "gpt-4-turbo", "GPT-3.5-turbo-0125"):
        assert can("openai", model).json_schema is False
    assert can("openai", "gpt-4.5-preview").json_schema is None
    assert can("xai", "grok-4-1-fast").reasoning is True
    assert can("xai", "grok-4-1-fast-non-reasoning").reasoning is None
    assert can("google_vertex", "publishers/google/models/gemini-2.5-pro").context_tokens == 1_048_576
    assert can("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0").open_schemas is False


def test_what_thinks_at_deepseek_is_not_made_to_call_a_tool() -> None:
    """It answers 400 there (wire_formats, section 1)."""
    assert can("deepseek", "deepseek-chat").forced_tool is True
    assert can("deepseek", "deepseek-reasoner").forced_tool is False


def test_a_router_says_what_it_keeps_from_some_of_its_models() -> None:
    """Snowflake refuses tools where it serves neither Claude nor OpenAI's; Kimi is made to call a tool from K3 on."""
    llama, claude = can("snowflake", "llama3.1-70b"), can("snowflake", "claude-sonnet-4-6")
    assert (llama.tools, llama.json_schema, claude.tools, claude.json_schema) == (False, False, True, True)
    old, new = can("moonshot", "kimi-k2.5"), can("moonshot", "kimi-k3")
    assert (old.forced_tool, old.json_schema, new.forced_tool, new.json_schema) == (False, False, None, True)
    assert can("perplexity", "sonar-pro").tools is False
    assert can("azure", "a name of the user's own") == NOTHING


@pytest.mark.parametrize("family", FAMILIES)
def test_claude_is_what_its_traits_say(family: str) -> None:
    """One place knows the families: what the dialect would not put into a request is not said to work."""
    found, traits = can("anthropic", f"claude-{family}"), traits_of(f"claude-{family}")
    assert (found.json_schema, found.forced_tool) == (traits.schemas, traits.forced_tools)
    assert found.reasoning is {"never": False, None: None}.get(traits.thinking, True)


def test_the_dialect_has_the_last_word() -> None:
    """A field that the server does not know cannot be sent, whatever the model could do."""
    said = Capabilities(json_schema=False, seed=False, streaming=False)
    found = capabilities_of("openai", "gpt-4o", said)
    assert (found.json_schema, found.seed, found.streaming, found.tools) == (False, False, False, True)


def test_a_remote_backend_says_what_its_model_can() -> None:
    """From the name of a model to what it can do (M6)."""
    keys = {"OPENAI_API_KEY": "k", "DEEPSEEK_API_KEY": "k", "ANTHROPIC_API_KEY": "k", "CO_API_KEY": "k"}

    def opened(uri: str) -> Capabilities:
        return open_backend(uri, environ=keys).capabilities

    assert opened("openai:gpt-4o").json_schema is True
    chat = opened("deepseek:deepseek-chat")
    assert (chat.json_schema, chat.json_object, chat.tools, chat.forced_tool) == (False, True, True, True)
    assert opened("anthropic:claude-sonnet-4-0").json_schema is False
    assert opened("anthropic:claude-opus-4-6").json_schema is True
    assert opened("cohere:command-a-03-2025").context_tokens == 288_000
    assert opened("ollama:llama3").forced_tool is False


def test_every_provider_in_the_table_is_one_that_a_backend_can_have() -> None:
    """A row for a provider that nobody is called would never be read."""
    from graphrt.backends import capabilities

    others = {"openai_responses", "google", "google_vertex", "cohere", "bedrock"} | capabilities._CLAUDE
    profiles: set[str] = {preset.profile.provider for preset in PRESETS.values()}
    for row in capabilities._ROWS:
        assert row.providers <= profiles | others, row.providers
