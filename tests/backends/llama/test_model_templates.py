"""The chat templates of 70 models: each is understood, takes every kind of conversation, and reads back what it writes.

The tables are what each model's card and the cases of llama.cpp say; the probe finds the same by itself for most.
"""

# ruff: noqa: RUF001, E501 - the marks are the models' own

import json
from typing import Any

import pytest

from graphrt.backends.llama.chat.families import family
from graphrt.backends.llama.chat.syntax import ID, INDEX
from graphrt.backends.messages import (
    Message,
    Reasoning,
    Text,
    ToolCall,
    ToolSpec,
    assistant,
    system,
    tool_result,
    user,
)
from tests.backends.llama.model_templates import NAMES, needed, template
from tests.backends.llama.reading import parse

WRITTEN: dict[str, str] = {
    '<tool_call>\n{"name": "f", "arguments": {"a": "x", "b": 1}}\n</tool_call>': "Bielik-11B-v3.0-Instruct HuggingFaceTB-SmolLM3-3B MiMo-VL NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use NousResearch-Hermes-3-Llama-3.1-8B-tool_use Qwen-QwQ-32B Qwen-Qwen2.5-7B-Instruct Qwen-Qwen3-0.6B Reka-Edge google-gemma-2-2b-it ibm-granite-granite-4.0 ibm-granite-granite-4.1 llama-cpp-rwkv-world microsoft-Phi-3.5-mini-instruct",
    "<tool_call>\n<function=f>\n<parameter=a>\nx\n</parameter>\n<parameter=b>\n1\n</parameter>\n</function>\n</tool_call>": "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16 Qwen3-Coder Qwen3.5-4B StepFun3.5-Flash",
    "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>x</arg_value>\n<arg_key>b</arg_key>\n<arg_value>1</arg_value>\n</tool_call>": "GLM-4.6 poolside-Laguna-XS-2.1 poolside-Laguna-XS.2",
    "<tool_call>f<arg_key>a</arg_key><arg_value>x</arg_value><arg_key>b</arg_key><arg_value>1</arg_value></tool_call>": "GLM-4.7-Flash Spark2.5 poolside-Laguna-S-2.1",
    '<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"a": "x", "b": 1}<|tool_call_end|><|tool_calls_section_end|>': "Kimi-K2-Instruct Kimi-K2-Thinking moonshotai-Kimi-K2",
    "<|tool_call_start|>[f(a='x', b=1)]<|tool_call_end|>": "LFM2-8B-A1B LFM2.5-8B-A1B LFM2.5-Instruct",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{"a": "x", "b": 1}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>': "deepseek-ai-DeepSeek-R1-Distill-Llama-8B deepseek-ai-DeepSeek-R1-Distill-Qwen-32B llama-cpp-deepseek-r1",
    '{"name": "f", "parameters": {"a": "x", "b": 1}}': "meta-llama-Llama-3.1-8B-Instruct meta-llama-Llama-3.2-3B-Instruct meta-llama-Llama-3.3-70B-Instruct",
    '<tool_calls>[{"name": "f", "arguments": {"a": "x", "b": 1}, "id": "123456789"}]</tool_calls>': "Apriel-1.6-15b-Thinker-fixed unsloth-Apriel-1.5",
    '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "f", "parameters": {"a": "x", "b": 1}}\n]<|END_ACTION|>': "Cohere2MoE CohereForAI-c4ai-command-r7b-12-2024-tool_use",
    '<｜DSML｜tool_calls>\n<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="a" string="true">x</｜DSML｜parameter>\n<｜DSML｜parameter name="b" string="false">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>': "deepseek-ai-DeepSeek-V4 deepseek-ai-DeepSeek-V4-Flash-0731",
    '<|tool_call>call:f{a:<|"|>x<|"|>,b:1}<tool_call|>': "google-gemma-4-31B-it google-gemma-4-31B-it-interleaved",
    '[TOOL_CALLS]f[ARGS]{"a": "x", "b": 1}': "mistralai-Ministral-3-14B-Reasoning-2512 unsloth-mistral-Devstral-Small-2507",
    '<|tools_prefix|>[{"f": {"a": "x", "b": 1}}]<|tools_suffix|>': "Apertus-8B-Instruct",
    "<seed:tool_call>\n<function=f>\n<parameter=a>x</parameter>\n<parameter=b>1</parameter>\n</function>\n</seed:tool_call>": "ByteDance-Seed-OSS",
    'Action:\n```json\n[\n    {\n        "tool_name": "f",\n        "parameters": {"a": "x", "b": 1}\n    }\n]```': "CohereForAI-c4ai-command-r-plus-tool_use",
    '<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "f", "arguments": {"a": "x", "b": 1}}': "GigaChat3-10B-A1.8B",
    '<|function_call|>{"name": "f", "arguments": {"a": "x", "b": 1}}': "GigaChat3.1-10B-A1.8B",
    '<|open|>tools<|sep|><|open|>call tool="f" index="1"<|sep|><|open|>argument key="a" type="string"<|sep|>x<|close|>argument<|sep|><|open|>argument key="b" type="number"<|sep|>1<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>': "Kimi-K3",
    '<tool_calls>\n{"name": "f", "arguments": {"a": "x", "b": 1}}\n</tool_calls>': "MiniMax-M1",
    '<minimax:tool_call>\n<invoke name="f">\n<parameter name="a">x</parameter>\n<parameter name="b">1</parameter>\n</invoke>\n</minimax:tool_call>': "MiniMax-M2",
    ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="f">]<]minimax[>[<a>x]<]minimax[>[</a>]<]minimax[>[<b>1]<]minimax[>[</b>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>': "MiniMax-M3",
    '[TOOL_CALLS]f[CALL_ID]123456789[ARGS]{"a": "x", "b": 1}': "Mistral-Small-3.2-24B-Instruct-2506",
    '<TOOLCALL>[{"name": "f", "arguments": {"a": "x", "b": 1}}]</TOOLCALL>': "NVIDIA-Nemotron-Nano-v2",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": "x", "b": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>': "deepseek-ai-DeepSeek-V3.1",
    '<｜DSML｜function_calls>\n<｜DSML｜invoke name="f">\n<｜DSML｜parameter name="a" string="true">x</｜DSML｜parameter>\n<｜DSML｜parameter name="b" string="false">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>': "deepseek-ai-DeepSeek-V3.2",
    'functools[{"name": "f", "arguments": {"a": "x", "b": 1}}]': "fireworks-ai-llama-3-firefunction-v2",
    '<|tool_call|>[{"name": "f", "arguments": {"a": "x", "b": 1}}]': "ibm-granite-granite-3.3-2B-Instruct",
    "<tool_call>f\n<arg_key>a</arg_key>\n<arg_value>x</arg_value><arg_key>b</arg_key>\n<arg_value>1</arg_value>\n</tool_call>": "inclusionai-ling-3.0-flash",
    '<function=f>{"a": "x", "b": 1}</function>': "meetkai-functionary-medium-v3.1",
    'f\n{"a": "x", "b": 1}': "meetkai-functionary-medium-v3.2",
    '[TOOL_CALLS][{"name": "f", "arguments": {"a": "x", "b": 1}, "id": "123456789"}]': "mistralai-Mistral-Nemo-Instruct-2407",
    ' to=f<|message|><atem:function_calls>\n<atem:invoke name="f">\n<atem:parameter name="a">x</atem:parameter>\n<atem:parameter name="b">1</atem:parameter>\n</atem:invoke>\n</atem:function_calls>': "muse-glimmer",
    '<|channel|>commentary to=functions.f <|constrain|>json<|message|>{"a": "x", "b": 1}<|call|>': "openai-gpt-oss-120b",
    '<function name="f"><param name="a">x</param><param name="b">1</param></function>': "openbmb-MiniCPM5-1B",
    "<tool_calls:opensource>\n<tool_call:opensource>f<tool_sep:opensource>\n<arg_key:opensource>a</arg_key:opensource>\n<arg_value:opensource>x</arg_value:opensource>\n<arg_key:opensource>b</arg_key:opensource>\n<arg_value:opensource>1</arg_value:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>": "tencent-Hy3",
    '<|tool_calls|><|tool_call:begin|>123456789<|tool_call:name|>f<|tool_call:args|>{"a": "x", "b": 1}<|tool_call:end|>': "upstage-Solar-Open-100B",
}
"""A call of f with a="x", b=1, to the models that write it so."""
GIVEN = {
    *("HuggingFaceTB-SmolLM3-3B", "google-gemma-2-2b-it", "llama-cpp-rwkv-world", "microsoft-Phi-3.5-mini-instruct"),
}
"""The models whose templates know no calls: they are given the syntax of Hermes."""
UNSHOWN = {
    *GIVEN,
    *("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B"),
    "deepseek-ai-DeepSeek-V3.1",
}
"""The models whose templates show no tools."""
THOUGHTS: dict[tuple[str, str], str] = {
    ("<|inner_prefix|>", "<|inner_suffix|>"): "Apertus-8B-Instruct",
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"): "Apriel-1.6-15b-Thinker-fixed",
    ("<seed:think>", "</seed:think>"): "ByteDance-Seed-OSS",
    ("<|START_THINKING|>", "<|END_THINKING|>"): "Cohere2MoE CohereForAI-c4ai-command-r7b-12-2024-tool_use",
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"): "Kimi-K3",
    ("<mm:think>", "</mm:think>"): "MiniMax-M3",
    ("<|channel>thought", "<channel|>"): "google-gemma-4-31B-it google-gemma-4-31B-it-interleaved",
    ("[THINK]", "[/THINK]"): "mistralai-Ministral-3-14B-Reasoning-2512",
    (" to=self<|message|>", "<|eom|>"): "muse-glimmer",
    ("<|channel|>analysis<|message|>", "<|end|>"): "openai-gpt-oss-120b",
    ("<think:opensource>", "</think:opensource>"): "tencent-Hy3",
    ("<|think|>", "<|end|>"): "upstage-Solar-Open-100B",
}
"""The marks of thoughts, where they are not <think> and </think>."""
WEATHER = ToolSpec(
    name="get_weather",
    description="the weather",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "description": "how many"}},
        "required": ["city"],
    },
)
ONE = ToolCall(call_id="call_1", name="get_weather", arguments='{"city": "OSLO", "days": 3}')
TWO = ToolCall(call_id="call_2", name="get_weather", arguments='{"city": "PARIS"}')
WRONG = ToolCall(call_id="call_3", name="get_weather", arguments='{"city')
ASKED, ANSWERED = user("QUESTION"), assistant("ANSWER")
CONVERSATIONS: dict[str, tuple[list[Message], str]] = {
    "a question": ([ASKED], "QUESTION"),
    "a system message": ([system("SYSTEM"), ASKED], "SYSTEM QUESTION"),
    "a call and its result": (
        [
            system("SYSTEM"),
            ASKED,
            Message(role="assistant", parts=(ONE,)),
            tool_result(ONE, "RAIN"),
            ANSWERED,
            user("MORE"),
        ],
        "SYSTEM QUESTION OSLO RAIN ANSWER MORE",
    ),
    "two calls after a thought and a word": (
        [
            ASKED,
            Message(role="assistant", parts=(Reasoning(text="HM"), Text(text="SO"), ONE, TWO)),
            tool_result(ONE, "RAIN"),
            tool_result(TWO, "SNOW"),
        ],
        "QUESTION OSLO PARIS RAIN SNOW",
    ),
    "a call that is none": (
        [ASKED, Message(role="assistant", parts=(WRONG,)), tool_result(WRONG, "MISTAKE")],
        "QUESTION MISTAKE",
    ),
}
pytestmark = needed


def test_there_is_a_row_for_every_template() -> None:
    assert sorted(name for names in WRITTEN.values() for name in names.split()) == NAMES
    assert len(NAMES) == 70


def test_calls_are_written_as_each_model_writes_them() -> None:
    for written, names in WRITTEN.items():
        for name in names.split():
            assert template(name).dialect.tools.write([("f", "123456789", {"a": "x", "b": 1})]) == written, name
    assert {name for name in NAMES if not template(name).found.known} == GIVEN
    assert {name for name in NAMES if not template(name).takes_tools} == UNSHOWN


def test_thoughts_stand_between_each_models_own_marks() -> None:
    marks = {name: pair for pair, names in THOUGHTS.items() for name in names.split()}
    for name in NAMES:
        thoughts = template(name).dialect.thoughts
        assert (thoughts.open, thoughts.close) == marks.get(name, ("<think>", "</think>")), name


def test_the_probe_finds_by_itself_what_most_templates_write() -> None:
    found = [name for name in NAMES if name not in GIVEN and family(template(name).source).tools is None]
    assert len(found) == 52


@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_every_template_takes_every_kind_of_conversation(kind: str) -> None:
    messages, words = CONVERSATIONS[kind]
    for name in NAMES:
        for tools in ([WEATHER], []):
            prompt = template(name).render(messages, tools, {})
            shown = "get_weather days" if tools else ""
            assert not [word for word in f"{words} {shown}".split() if word not in prompt], (name, tools)


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["a", "b"]},
        {"const": 1},
        {"type": ["string", "null"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "X"},
        {"type": "array", "items": {"type": ["integer", "null"]}},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"$ref": "#/$defs/a"},
        {},
    ],
    ids=json.dumps,
)
def test_every_template_takes_every_kind_of_parameter(schema: dict[str, Any]) -> None:
    parameters = {"type": "object", "properties": {"somewhere": schema}, "$defs": {"a": {"type": "string"}}}
    for name in NAMES:
        for given, word in ((parameters, "somewhere"), ({"type": "object"}, "tool_name"), ({}, "tool_name")):
            assert word in template(name).render([ASKED], [ToolSpec(name="tool_name", parameters=given)], {}), name


def test_the_prompt_shows_past_calls_as_the_model_writes_them() -> None:
    for name in NAMES:
        made = template(name)
        syntax = made.dialect.tools
        if {ID, INDEX} & set(syntax.call) or made.dialect.channels or made.found.manner.text_arguments:
            continue  # numbers and ids count on from earlier turns; headers come before channels
        messages = [ASKED, Message(role="assistant", parts=(ONE,)), tool_result(ONE, "RAIN")]
        written = syntax.write([("get_weather", "", {"city": "OSLO", "days": 3})])
        squeezed = "".join(written.split())
        assert squeezed in "".join(made.render(messages, [WEATHER], {}).split()), name


def test_what_a_model_is_shown_of_calls_is_read_back_as_those_calls() -> None:
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("get_weather", "abcdefgh1", {"city": "O\"s'lo\n</x>", "days": 3}),
        ("get_weather", "abcdefgh2", {"city": "Paris"}),
    ]
    for name in NAMES:
        dialect = template(name).dialect
        some = calls if dialect.tools.parallel else calls[:1]
        text = dialect.tools.write(some)
        for pieces in ([text], [*text]):
            parts = parse(*pieces, dialect=dialect, tools=[WEATHER])
            read = [
                (part.name, json.loads(part.arguments))
                for part in parts
                if isinstance(part, ToolCall) and part.complete
            ]
            assert read == [(called, given) for called, _, given in some], (name, text)
            assert len(parts) == len(read)
