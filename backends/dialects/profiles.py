"""What differs between the servers that speak the OpenAI chat dialect, as data.

A profile is a value: a server that is not in the table is `replace(OPENAI_LIKE, …)`. `PRESETS` are the ones with a
name. Written down is what a provider documents or was recorded doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from string import Formatter
from types import MappingProxyType
from typing import Literal

from graphrt.backends.messages import Kept

_COMMON = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "seed": "seed",
    "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "parallel_tool_calls": "parallel_tool_calls",
    "reasoning_effort": "reasoning_effort",
    "logprobs": "top_logprobs",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """How one server departs from the dialect.

    Attributes:
        provider: what errors call it and what its opaque payloads are tagged with. settings: our name of each setting
        it honours, and its own field for it. What is missing is warned about (M6). max_stops: how many stop strings it
        takes; None for any number. system_role: the role that instructions go under. output: how it takes a JSON
        Schema: enforced, only as "answer in JSON", or not at all. strict: whether it enforces schemas in strict mode
        only, and by a grammar otherwise. required_tool: its word for "call some tool". usage_option: whether it has to
        be asked for the usage of a stream. echo_reasoning: the field under which it takes its own plain reasoning text
        back with a tool call, if it does. always_echoed: it refuses a tool call without that field, be it empty.
        nine_letter_ids: whether tool call ids must be nine letters or digits. longest_id: how many letters one may
        have; None for any number, since some servers keep things in their own. answers_results: whether the model has
        to say something between the results of its calls and the user. keeps: how long it keeps prompts of its own
        accord, or that it takes `marks` of Anthropic's kind; None if nobody knows. finish_optional: whether `[DONE]`
        alone ends an answer. Only for servers known to leave the finish reason out: everywhere else a `[DONE]` without
        one is a proxy closing what broke behind it.
    """

    provider: str
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(_COMMON))
    max_stops: int | None = None
    system_role: Literal["system", "developer", "user"] = "system"
    output: Literal["json_schema", "json_object"] | None = "json_schema"
    strict: bool = True
    required_tool: str = "required"
    usage_option: bool = True
    echo_reasoning: str | None = None
    always_echoed: bool = False
    nine_letter_ids: bool = False
    longest_id: int | None = None
    answers_results: bool = False
    keeps: Kept | Literal["marks"] | None = None
    finish_optional: bool = False


@dataclass(frozen=True, slots=True)
class Preset:
    """A server with a name: where it is, which environment variable holds its key, and its profile.

    What stands in braces in an address is the user's own, and a parameter of the server's name.

    Attributes:
        elsewhere: by the name of one more parameter, the address where that is given; what follows its `?` goes after
        the dialect's path. key_header: the header that holds the key alone; None for `Authorization: Bearer`.
        bearer_env: the variable of a token that does go there, in place of the key.
    """

    base_url: str
    key_env: str | None
    profile: Profile
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    key_header: str | None = None
    bearer_env: str | None = None

    @property
    def params(self) -> tuple[str, ...]:
        """What the user's parts of its addresses are called."""
        names = [name for url in (self.base_url, *self.elsewhere.values()) for name in parts_of(url)]
        return tuple(dict.fromkeys(name for name in names if name != "model"))


def parts_of(address: str) -> list[str]:
    """The names in braces."""
    return [name for _, name, _, _ in Formatter().parse(address) if name]


def _without(*names: str, **renamed: str) -> Mapping[str, str]:
    kept = {name: wire for name, wire in _COMMON.items() if name not in names}
    return MappingProxyType({**kept, **renamed})


_LOCAL = _without(top_k="top_k", min_p="min_p")

OPENAI_LIKE = Profile("openai_chat")
"""A server nobody knows anything about."""

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "openai": Preset(
            "https://api.openai.com/v1",
            "OPENAI_API_KEY",
            Profile(
                "openai",
                settings=_without(max_tokens="max_completion_tokens"),
                max_stops=4,
                longest_id=40,
                keeps="5m",  # its newest models a day, of which the API promises nothing
            ),
        ),
        "azure": Preset(
            "https://{resource}.openai.azure.com/openai/v1",
            "AZURE_OPENAI_API_KEY",
            Profile(
                "azure",
                settings=_without(max_tokens="max_completion_tokens"),
                max_stops=4,
                longest_id=40,
                keeps="5m",
            ),
            elsewhere={
                "api_version": "https://{resource}.openai.azure.com/openai/deployments/{model}?api-version={api_version}"
            },
            key_header="api-key",
            bearer_env="AZURE_OPENAI_AD_TOKEN",
        ),
        "openrouter": Preset(
            "https://openrouter.ai/api/v1",
            "OPENROUTER_API_KEY",
            Profile("openrouter", settings=_LOCAL, max_stops=4, keeps="marks"),
        ),
        "groq": Preset(
            "https://api.groq.com/openai/v1",
            "GROQ_API_KEY",
            Profile("groq", settings=_without("logprobs", max_tokens="max_completion_tokens"), max_stops=4, keeps="1h"),
        ),
        "deepseek": Preset(
            "https://api.deepseek.com",
            "DEEPSEEK_API_KEY",
            Profile(
                "deepseek",
                settings=_without("seed", "parallel_tool_calls"),
                max_stops=16,
                output="json_object",
                echo_reasoning="reasoning_content",
                always_echoed=True,
                keeps="1h",
            ),
        ),
        "mistral": Preset(
            "https://api.mistral.ai/v1",
            "MISTRAL_API_KEY",
            Profile(
                "mistral",
                settings=_without("seed", "logprobs", seed="random_seed"),
                required_tool="any",
                usage_option=False,  # it always tells, and refuses fields that it does not know
                nine_letter_ids=True,
                answers_results=True,
                keeps="5m",
            ),
        ),
        "xai": Preset(
            "https://api.x.ai/v1", "XAI_API_KEY", Profile("xai", echo_reasoning="reasoning_content", keeps="5m")
        ),
        "together": Preset(
            "https://api.together.xyz/v1",
            "TOGETHER_API_KEY",
            # one number is both the question and how many alternatives there are to be
            Profile("together", settings=_without(top_k="top_k", min_p="min_p", logprobs="logprobs")),
        ),
        "cerebras": Preset("https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", Profile("cerebras", keeps="5m")),
        "huggingface": Preset("https://router.huggingface.co/v1", "HF_TOKEN", Profile("huggingface", max_stops=4)),
        "perplexity": Preset(
            "https://api.perplexity.ai",
            "PERPLEXITY_API_KEY",
            Profile(
                "perplexity",
                settings=_without("seed", "stop", "parallel_tool_calls", "logprobs", top_k="top_k"),
                strict=False,
                usage_option=False,  # it tells with every chunk
            ),
        ),
        "databricks": Preset(
            "https://{host}/serving-endpoints",
            "DATABRICKS_TOKEN",
            Profile(
                "databricks",
                settings=_without(
                    "seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", top_k="top_k"
                ),
                usage_option=False,  # it tells with every chunk
            ),
        ),
        "cloudflare": Preset(
            "https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
            "CLOUDFLARE_API_TOKEN",
            Profile("cloudflare", settings=_without("logprobs", top_k="top_k"), output=None),  # no JSON in a stream
            elsewhere={"gateway": "https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/workers-ai/v1"},
        ),
        "snowflake": Preset(
            "https://{account}.snowflakecomputing.com/api/v2/cortex/v1",
            "SNOWFLAKE_PAT",
            Profile(
                "snowflake",
                # only some models listen to an effort, and the others do not say that they don't
                settings=_without("reasoning_effort", max_tokens="max_completion_tokens"),
            ),
        ),
        "zai": Preset(
            "https://api.z.ai/api/paas/v4",
            "ZAI_API_KEY",
            Profile(
                "zai",
                settings=_without("seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "logprobs"),
                max_stops=1,
                output="json_object",
                echo_reasoning="reasoning_content",
                keeps="5m",
            ),
        ),
        "moonshot": Preset(
            "https://api.moonshot.ai/v1",
            "MOONSHOT_API_KEY",
            Profile(
                "moonshot",
                settings=_without("seed", "parallel_tool_calls", "logprobs", max_tokens="max_completion_tokens"),
                max_stops=5,
                echo_reasoning="reasoning_content",
                always_echoed=True,
                keeps="5m",
            ),
        ),
        "alibaba": Preset(
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
            "DASHSCOPE_API_KEY",
            Profile("alibaba", settings=_without("frequency_penalty", "reasoning_effort", top_k="top_k"), keeps="5m"),
        ),
        "ollama": Preset("http://localhost:11434/v1", None, Profile("ollama", echo_reasoning="reasoning", keeps="5m")),
        "vllm": Preset("http://localhost:8000/v1", None, Profile("vllm", settings=_LOCAL, strict=False, keeps="5m")),
        "llama_server": Preset(
            "http://localhost:8080/v1",
            None,
            Profile("llama_server", settings=_LOCAL, strict=False, echo_reasoning="reasoning_content", keeps="5m"),
        ),
        "lmstudio": Preset(
            "http://localhost:1234/v1",
            None,
            Profile(
                "lmstudio",
                settings=_without("parallel_tool_calls", "reasoning_effort", "logprobs", top_k="top_k"),
                strict=False,
                keeps="5m",
            ),
        ),
        "tgi": Preset("http://localhost:3000/v1", None, Profile("tgi", strict=False, finish_optional=True)),
    }
)


def profile_named(provider: str) -> Profile:
    """The profile of a preset, or the plain one under that name."""
    return PRESETS[provider].profile if provider in PRESETS else replace(OPENAI_LIKE, provider=provider)
