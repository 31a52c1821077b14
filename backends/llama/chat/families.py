"""Ways of writing that no probe of a template finds, each with the words of a template by which it is known."""

# ruff: noqa: RUF001 - the bars of DeepSeek's marks are full-width

from __future__ import annotations

from dataclasses import dataclass

from graphrt.backends.llama.chat.notation import Elements, Gemma, Python
from graphrt.backends.llama.chat.syntax import ARGUMENTS, INDEX, NAME, Channels, Tagged, Thoughts, ToolSyntax


@dataclass(frozen=True, slots=True)
class Family:
    """What is known of a family; what is None is left to the probe."""

    marks: tuple[str, ...]
    """A template with all of these is one of the family."""
    tools: ToolSyntax | None = None
    thoughts: Thoughts | None = None
    channels: Channels | None = None
    dropped: tuple[str, ...] = ()
    ends_thought: bool = False
    """Whether a call ends the thought it stands in, as the family's models use to leave the closing mark out."""


HARMONY = Family(
    marks=("<|channel|>", "functions."),
    tools=ToolSyntax(
        call=(
            "<|channel|>commentary to=functions.",
            NAME,
            " <|constrain|>json<|message|>",
            ARGUMENTS,
            "<|call|>",
        ),
        parallel=False,
    ),
    thoughts=Thoughts("<|channel|>analysis<|message|>", "<|end|>"),
    channels=Channels(
        begins=("<|start|>", "<|channel|>", "to="),
        message="<|message|>",
        ends=("<|end|>", "<|call|>", "<|return|>", "<|start|>", "<|channel|>"),
        thought=r"analysis",
        call=r"to=(?:functions\.)?([^\s<]+)",
        plain="<|channel|>final<|message|>",
    ),
)
_ATEM = Tagged('<atem:parameter name="', '">', '">', "</atem:parameter>\n")
MUSE = Family(
    marks=("<atem:function_calls>", "to=self"),
    tools=ToolSyntax(
        call=(
            " to=",
            NAME,
            '<|message|><atem:function_calls>\n<atem:invoke name="',
            NAME,
            '">\n',
            ARGUMENTS,
            "</atem:invoke>\n</atem:function_calls>",
        ),
        between="<|eom|><|start|>assistant",
        arguments=_ATEM,
    ),
    thoughts=Thoughts(" to=self<|message|>", "<|eom|>"),
    channels=Channels(
        begins=("<|start|>", "to="),
        message="<|message|>",
        ends=("<|eom|>", "<|eot|>", "<|start|>"),
        thought=r"to=self",
        call=r"to=(?!self\b|user\b)([^\s<]+)",
        plain=" to=user<|message|>",
        inner=ToolSyntax(
            begin="<atem:function_calls>\n",
            call=('<atem:invoke name="', NAME, '">\n', ARGUMENTS, "</atem:invoke>\n"),
            end="</atem:function_calls>",
            arguments=_ATEM,
        ),
    ),
)
FUNCTIONARY = Family(
    marks=(">>>all",),
    tools=ToolSyntax(call=(NAME, "\n", ARGUMENTS), between="\n>>>"),
    channels=Channels(
        begins=(),
        message="\n",
        ends=(">>>",),
        thought=r"(?!)",
        call=r"^\s*(?!all$)(\S+)$",
        plain="all\n",
        offered=True,
    ),
)
FAMILIES: tuple[Family, ...] = (
    HARMONY,
    MUSE,
    FUNCTIONARY,
    Family(
        marks=("<|tool_call>", '<|"|>'),
        tools=ToolSyntax(call=("<|tool_call>call:", NAME, "{", ARGUMENTS, "}<tool_call|>"), arguments=Gemma()),
        thoughts=Thoughts("<|channel>thought", "<channel|>"),
        dropped=("<|channel>",),
    ),
    Family(
        marks=("]<]minimax[>[",),
        tools=ToolSyntax(
            begin="]<]minimax[>[<tool_call>\n",
            call=(']<]minimax[>[<invoke name="', NAME, '">', ARGUMENTS, "]<]minimax[>[</invoke>\n"),
            end="]<]minimax[>[</tool_call>",
            arguments=Elements("]<]minimax[>["),
        ),
    ),
    Family(
        marks=("<|open|>", "<|sep|>"),
        tools=ToolSyntax(
            begin="<|open|>tools<|sep|>",
            call=('<|open|>call tool="', NAME, '" index="', INDEX, '"<|sep|>', ARGUMENTS, "<|close|>call<|sep|>"),
            end="<|close|>tools<|sep|>",
            arguments=Tagged(
                '<|open|>argument key="',
                '" type="string"<|sep|>',
                '" type="number"<|sep|>',
                "<|close|>argument<|sep|>",
                typed=True,
            ),
            first=1,
        ),
        thoughts=Thoughts("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
        dropped=("<|open|>response<|sep|>", "<|close|>response<|sep|>", "<|close|>message<|sep|>"),
    ),
    *(
        Family(
            marks=(mark,),
            tools=ToolSyntax(
                begin="<|tool_call_start|>[",
                call=(NAME, "(", ARGUMENTS, ")"),
                between=", ",
                end="]<|tool_call_end|>",
                arguments=Python(),
            ),
        )
        for mark in ("<|tool_call_start|>", "<|tool_list_start|>", "List of tools: ")
    ),
    Family(
        marks=("<|tool_call|> followed by a JSON list",),
        tools=ToolSyntax(
            begin="<|tool_call|>[",
            call=('{"name": "', NAME, '", "arguments": ', ARGUMENTS, "}"),
            between=", ",
            end="]",
        ),
    ),
    Family(
        marks=("<｜tool▁calls▁begin｜>", "```json"),
        tools=ToolSyntax(
            begin="<｜tool▁calls▁begin｜>",
            call=(
                "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                NAME,
                "\n```json\n",
                ARGUMENTS,
                "\n```<｜tool▁call▁end｜>",
            ),
            between="\n",
            end="<｜tool▁calls▁end｜>",
        ),
    ),
    Family(marks=("<|tool_call_begin|>", "<|tool_call_argument_begin|>"), ends_thought=True),
    Family(marks=("<function=", "<parameter="), ends_thought=True),
    Family(
        marks=("Here are my reasoning steps:",),
        thoughts=Thoughts("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
    ),
    Family(
        marks=("<|START_ACTION|>",),
        thoughts=Thoughts("<|START_THINKING|>", "<|END_THINKING|>"),
        dropped=("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"),
    ),
    Family(marks=("<|tool_call:begin|>",), dropped=("<|content|>", "<|end|>", "<|begin|>assistant")),
    Family(marks=("Action:", "<|CHATBOT_TOKEN|>"), dropped=("<|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>")),
    Family(marks=("<|python_tag|>",), dropped=("<|python_tag|>",)),
)
"""The first family of which a template has all the marks is the one."""

KNOWN_THOUGHTS = (
    Thoughts("[THINK]", "[/THINK]"),
    Thoughts("<|inner_prefix|>", "<|inner_suffix|>"),
    Thoughts("<seed:think>", "</seed:think>"),
    Thoughts("<mm:think>", "</mm:think>"),
    Thoughts(),
)
"""The marks of thoughts where no probe shows them, the likeliest last: the first whose marks a template has."""


def family(source: str) -> Family:
    """The family of a template; an empty one where nothing is known."""
    return next((one for one in FAMILIES if all(mark in source for mark in one.marks)), Family(marks=()))
