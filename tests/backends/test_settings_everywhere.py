"""Every setting at every dialect: honoured in its own words, or warned about, which strict mode refuses (M6)."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from graphrt.backends.dialects.anthropic import Anthropic, VertexAnthropic
from graphrt.backends.dialects.bedrock import Bedrock
from graphrt.backends.dialects.cohere import Cohere
from graphrt.backends.dialects.dialect import Asked
from graphrt.backends.dialects.gemini import Gemini, VertexGemini
from graphrt.backends.dialects.ollama_native import Ollama
from graphrt.backends.dialects.openai_chat import OpenAIChat
from graphrt.backends.dialects.openai_responses import OpenAIResponses
from graphrt.backends.dialects.profiles import PRESETS
from graphrt.backends.dialects.responses_request import DEEPSEEK
from graphrt.backends.dialects.tgi_native import Tgi
from graphrt.backends.errors import UnsupportedSetting
from graphrt.backends.messages import Request, Settings, ToolSpec, conversation
from graphrt.backends.remote import Remote

WISHES: Mapping[str, Any] = {
    "max_tokens": 5000,
    "temperature": 0.5,
    "top_p": 0.25,
    "top_k": 7,
    "min_p": 0.125,
    "seed": 41,
    "stop": ("\u2022",),
    "presence_penalty": 0.75,
    "frequency_penalty": 0.375,
    "reasoning_effort": "high",
    "parallel_tool_calls": False,
    "logprobs": 3,
    "cache": "5m",
}
"""A wish for each setting, whose value shows where it went."""

SILENT: Mapping[str, frozenset[str]] = {
    "cache": frozenset(
        {"openai", "azure", "groq", "deepseek", "mistral", "xai", "cerebras", "zai", "moonshot", "alibaba"}
        | {"ollama", "vllm", "llama_server", "lmstudio"}
        | {"responses", "responses_deepseek", "gemini", "vertex_gemini", "cohere", "ollama_native"}
    ),
    "parallel_tool_calls": frozenset({"tgi_native"}),
}
"""Who honours a setting without a word: these keep every prompt of their own accord, and that one has no calls."""


def backends() -> Iterator[tuple[str, Remote, str]]:
    """Every dialect, at every place and server with a name, and a model that takes as much as any there."""
    for name, preset in PRESETS.items():
        yield name, OpenAIChat("m", base_url="http://localhost", key="k", profile=preset.profile), "m"
    yield "responses", OpenAIResponses("m", key="k"), "m"
    yield "responses_deepseek", OpenAIResponses("m", key="k", variant=DEEPSEEK), "m"
    yield "anthropic", Anthropic("m", key="k"), "claude-sonnet-4-0"
    yield "vertex_anthropic", VertexAnthropic("m", project="p", key="k"), "claude-sonnet-4-0"
    yield "gemini", Gemini("m", key="k"), "gemini-3-flash"
    yield "vertex_gemini", VertexGemini("m", project="p", key="k"), "gemini-2.5-flash"
    yield "cohere", Cohere("m", key="k"), "command-a"
    yield "bedrock_claude", Bedrock("m", key="k"), "anthropic.claude-sonnet-4-5-v1:0"
    yield "bedrock_nova", Bedrock("m", key="k"), "amazon.nova-pro-v1:0"
    yield "bedrock_other", Bedrock("m", key="k"), "somebody.new-v1"
    yield "ollama_native", Ollama("m"), "m"
    yield "tgi_native", Tgi("m"), "m"


BACKENDS = {name: (backend, model) for name, backend, model in backends()}


def ask(name: str, **settings: Any) -> Request:
    if name == "tgi_native":  # which has neither roles nor tools
        return Request(messages=conversation("hi"), settings=Settings(**settings))
    tools = (ToolSpec(name="add", parameters={"type": "object"}),)
    return Request(messages=conversation("hi", instructions="Be brief."), tools=tools, settings=Settings(**settings))


def written(name: str, **settings: Any) -> Asked:
    backend, model = BACKENDS[name]
    return backend.dialect.write(ask(name, **settings), model)


def sent(name: str, **settings: Any) -> dict[str, Any]:
    return dict(fields(written(name, **settings).body))


def test_there_is_a_wish_for_every_setting() -> None:
    """So that nobody adds a setting which no dialect hears of."""
    assert WISHES.keys() == Settings.model_fields.keys() - {"strict"}


@pytest.mark.parametrize("setting", WISHES)
@pytest.mark.parametrize("name", BACKENDS)
def test_a_setting_is_honoured_or_warned_about(name: str, setting: str) -> None:
    """M6: what is honoured goes over the wire; what is not is said by name, and refused in strict mode."""
    wish = {setting: WISHES[setting]}
    plain, asked = written(name), written(name, **wish)
    assert plain.warnings == ()
    assert {warning.setting for warning in asked.warnings} <= {setting}
    told = bool(asked.warnings) or json.dumps(asked.body) != json.dumps(plain.body)
    assert told != (name in SILENT.get(setting, ()))
    if asked.warnings:
        with pytest.raises(UnsupportedSetting, match=setting):
            written(name, **wish, strict=True)
    else:
        assert written(name, **wish, strict=True) == asked


SEEDS: Mapping[str, str | None] = {
    "openai": "seed",
    "deepseek": None,
    "mistral": "random_seed",
    "vllm": "seed",
    "responses": None,
    "anthropic": None,
    "bedrock_claude": None,
    "gemini": "seed",
    "cohere": "seed",
    "ollama_native": "seed",
    "tgi_native": "seed",
}


@pytest.mark.parametrize("name", SEEDS)
def test_a_seed_goes_under_its_own_name_where_there_is_one(name: str) -> None:
    found = [field for field, value in sent(name, seed=41).items() if value == 41]
    assert found == ([] if SEEDS[name] is None else [SEEDS[name]])


LOGPROBS: Mapping[str, Mapping[str, Any]] = {
    "openai": {"logprobs": True, "top_logprobs": 3},
    "together": {"logprobs": 3},
    "responses": {"top_logprobs": 3},
    "gemini": {"responseLogprobs": True, "logprobs": 3},
    "cohere": {"logprobs": True},
    "ollama_native": {"logprobs": True, "top_logprobs": 3},
    "tgi_native": {"top_n_tokens": 3},
    "groq": {},
    "mistral": {},
    "anthropic": {},
    "bedrock_claude": {},
}


@pytest.mark.parametrize("name", LOGPROBS)
def test_logprobs_are_asked_for_in_the_providers_own_words(name: str) -> None:
    plain = sent(name)
    fresh = {field: value for field, value in sent(name, logprobs=3).items() if field not in plain}
    assert fresh == LOGPROBS[name]


def test_only_the_chosen_token_is_asked_for_with_zero() -> None:
    openai, gemini, responses = (sent(name, logprobs=0) for name in ("openai", "gemini", "responses"))
    assert (openai["logprobs"], "top_logprobs" in openai) == (True, False)
    assert (gemini["responseLogprobs"], "logprobs" in gemini) == (True, False)
    assert (responses["top_logprobs"], responses["include"][-1]) == (0, "message.output_text.logprobs")
    assert sent("together", logprobs=0)["logprobs"] == 1
    assert written("cohere", logprobs=0).warnings == ()


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every field of the objects in plain data that is no object itself."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(item, Mapping):
                yield name, item
            yield from fields(item)


SERVED: Mapping[str, dict[str, Any]] = {
    "openai": {"type": "web_search"},
    "responses": {"type": "web_search"},
    "anthropic": {"type": "web_search_20250305", "name": "web_search"},
    "gemini": {"googleSearch": {}},
    "cohere": {"type": "web_search"},
    "ollama_native": {"type": "web_search"},
}
"""Tools that a provider runs on its own side, in its own words."""


@pytest.mark.parametrize("name", SERVED)
def test_a_tool_of_the_providers_stands_beside_ones_own(name: str) -> None:
    """M2: asking for a search of the provider's loses no tool of the caller's."""
    backend, model = BACKENDS[name]
    own = backend.dialect.write(ask(name), model).body["tools"]
    request = ask(name).model_copy(update={"extra": {"tools": [SERVED[name]]}})
    assert backend.dialect.write(request, model).body["tools"] == [*own, SERVED[name]]


def test_a_tool_of_bedrocks_stands_beside_ones_own() -> None:
    """M2: there it is in an object with the others."""
    backend, model = BACKENDS["bedrock_nova"]
    own = backend.dialect.write(ask("bedrock_nova"), model).body["toolConfig"]["tools"]
    search = {"systemTool": {"name": "nova_grounding"}}
    request = ask("bedrock_nova").model_copy(update={"extra": {"toolConfig": {"tools": [search]}}})
    assert backend.dialect.write(request, model).body["toolConfig"]["tools"] == [*own, search]
