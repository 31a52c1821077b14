"""The repairs of the chat dialect, one symptom at a time, and its grammar whatever comes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.dialects.answering import Answering
from graphrt.backends.dialects.openai_stream import ChatStream
from graphrt.backends.dialects.openai_values import normal_usage
from graphrt.backends.dialects.profiles import profile_named
from graphrt.backends.errors import BackendError, InvalidOutput, Overloaded, ServerError, StreamTruncated
from graphrt.backends.events import Answer, Failed, Finished, Fold, PartStarted, Warned
from graphrt.backends.messages import Media, Reasoning, ServerTool, Text, ToolCall
from tests.backends.replay import outcome, read

PROFILE = profile_named("openai")


def sse(*chunks: Any) -> list[bytes]:
    return [f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode() for chunk in chunks]


def said(delta: Any, finish: str | None = None, **more: Any) -> Any:
    return {"model": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def tool(*, name: str | None = None, arguments: Any = None, **facts: Any) -> Any:
    return said({"tool_calls": [{"function": {"name": name, "arguments": arguments}, **facts}]})


def answer_of(*chunks: Any) -> Answer:
    answer, _, error = outcome(read(sse(*chunks)))
    assert answer is not None, error
    return answer


def calls(*chunks: Any) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in answer_of(*chunks, said({}, "tool_calls")).tool_calls]


def test_fragments_of_parallel_calls_go_to_their_own_call() -> None:
    assert calls(
        tool(index=1, id="b", name="two", arguments=""),
        tool(index=0, id="a", name="one", arguments=""),
        tool(index=1, arguments='{"x"'),
        tool(index=0, arguments="{}"),
        tool(index=1, arguments=": 1}"),
    ) == [("two", '{"x": 1}'), ("one", "{}")]


def test_a_new_id_on_a_known_index_begins_a_new_call() -> None:
    assert calls(
        tool(index=0, id="a", name="one", arguments="{}"), tool(index=0, id="b", name="two", arguments="{}")
    ) == [
        ("one", "{}"),
        ("two", "{}"),
    ]


def test_whole_calls_without_ids_on_one_index_are_several() -> None:
    assert calls(*[tool(index=0, name="one", arguments='{"x": 1}')] * 2) == [("one", '{"x": 1}')] * 2


def test_without_an_index_the_id_or_the_last_call_decides() -> None:
    assert calls(
        tool(id="a", name="one", arguments='{"x'), tool(arguments='": 1}'), tool(id="b", name="two", arguments="{}")
    ) == [
        ("one", '{"x": 1}'),
        ("two", "{}"),
    ]


def test_an_index_may_be_a_string_start_at_one_or_have_gaps() -> None:
    assert calls(
        tool(index="1", id="a", name="one", arguments="{}"), tool(index=7, id="b", name="two", arguments="{}")
    ) == [
        ("one", "{}"),
        ("two", "{}"),
    ]


def test_a_name_repeated_in_every_fragment_is_said_once() -> None:
    assert calls(
        tool(index=0, id="a", name="weather", arguments="{"), tool(index=0, id="a", name="weather", arguments="}")
    ) == [("weather", "{}")]


def test_a_name_may_come_in_pieces_or_after_the_arguments() -> None:
    assert calls(tool(index=0, id="a", name="wea"), tool(index=0, name="ther", arguments="{}")) == [("weather", "{}")]
    assert calls(tool(index=0, id="a", arguments="{}"), tool(index=0, name="weather")) == [("weather", "{}")]


@pytest.mark.parametrize(("sent", "kept"), [("", ""), (None, ""), ({"a": 1}, '{"a": 1}'), ("oops", "oops")])
def test_arguments_may_be_blank_missing_an_object_or_nonsense(sent: Any, kept: Any) -> None:
    assert calls(tool(index=0, id="a", name="one", arguments=sent)) == [("one", kept)]


def test_missing_and_repeated_ids_become_unique_ones_that_say_so() -> None:
    made = answer_of(
        tool(index=0, name="one", arguments="{}"),
        tool(index=1, id="x", name="two", arguments="{}"),
        tool(index=2, id="x", name="three", arguments="{}"),
        said({}, "tool_calls"),
    ).tool_calls
    assert [call.synthetic_id for call in made] == [True, False, True]
    assert len({call.call_id for call in made}) == 3


def test_an_answer_cut_by_length_keeps_its_whole_calls_and_marks_the_last() -> None:
    made = answer_of(
        tool(index=0, id="a", name="one", arguments='{"x": 1}'),
        tool(index=1, id="b", name="two", arguments="{}"),
        said({}, "length"),
    )
    assert (made.finish, [call.complete for call in made.tool_calls]) == ("length", [True, False])


def test_words_and_calls_keep_their_order() -> None:
    answer = answer_of(
        said({"reasoning_content": "hm"}),
        said({"content": "First "}),
        said({"content": "this."}),
        tool(index=0, id="a", name="one", arguments="{}"),
        said({"content": "Then that."}),
        said({}, "tool_calls"),
    )
    assert [type(part) for part in answer.message.parts] == [Reasoning, Text, ToolCall, Text]
    assert answer.text == "First this.Then that."


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (["a\ud83d", "\ude00b"], "a😀b"),
        (["\ud83d", "", "\ude00"], "😀"),
        (["a\ud83d", "b"], "a�b"),
        (["\ude00", "a\ud83d"], "�a�"),
    ],
)
def test_a_character_halved_between_chunks_is_whole_again(pieces: Any, whole: Any) -> None:
    answer = answer_of(*[said({"content": piece}) for piece in pieces], said({}, "stop"))
    assert answer.text == whole
    answer.model_dump_json()
    call = answer_of(
        tool(index=0, id="a", name="f"), *[tool(index=0, arguments=piece) for piece in pieces], said({}, "stop")
    )
    assert call.tool_calls[0].arguments == whole


def test_content_may_be_a_list_of_parts() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    answer = answer_of(said({"content": [thinking, {"type": "text", "text": "yes"}]}), said({}, "stop"))
    assert [part.text for part in answer.message.parts if isinstance(part, (Reasoning, Text))] == ["hm", "yes"]


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": None},
        {"choices": []},
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None}]},
        "",
        [],
        "3",
    ],
)
def test_a_chunk_with_nothing_in_it_is_passed_over(odd: Any) -> None:
    assert answer_of(odd, said({"content": "a"}), odd, said({"content": "b"}), said({}, "stop"), odd).text == "ab"


def test_only_the_first_of_several_choices_is_the_answer() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "not me"}, "finish_reason": "length"}]}
    assert answer_of(said({"content": "me"}), other, said({}, "stop"), other).text == "me"


def test_what_the_server_did_on_its_own_side_is_carried_whole() -> None:
    # M2
    sources = ["http://a", "http://b"]
    answer = answer_of(
        said({"content": "a", "annotations": [{"type": "url_citation"}]}, citations=sources),
        said({"content": "b", "images": [{"image_url": {"url": "data:image/png;base64,QUJD"}}]}, citations=sources),
        said({}, "stop", citations=sources),
    )
    kinds = [part.kind for part in answer.message.parts]
    assert kinds == ["text", "media", "server_tool", "server_tool"]
    carried = {
        part.name: part.opaque.payload for part in answer.message.parts if isinstance(part, ServerTool) and part.opaque
    }
    assert carried == {"annotations": {"facts": [{"type": "url_citation"}]}, "citations": {"facts": sources}}
    assert [(part.media_type, part.data) for part in answer.message.parts if isinstance(part, Media)] == [
        ("image/png", "QUJD")
    ]


def test_a_refusal_has_its_own_part_and_its_own_finish() -> None:
    answer = answer_of(said({"refusal": "I will"}), said({"refusal": " not."}), said({}, "stop"))
    assert (answer.finish, answer.raw_finish, answer.text) == ("refusal", "stop", "")
    assert answer.message.parts[0].kind == "refusal"


@pytest.mark.parametrize(
    ("word", "kind"),
    [("error", ServerError), ("insufficient_system_resource", Overloaded), ("malformed_function_call", InvalidOutput)],
)
def test_a_finish_reason_that_means_failure_is_one(word: Any, kind: type[BackendError]) -> None:
    _, message, error = outcome(read(sse(said({"content": "a"}), said({}, word))))
    assert type(error) is kind
    assert message.text == "a"


def test_the_last_usage_wins_and_nothing_is_added_up() -> None:
    # M4
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    answer = answer_of(said({"content": "a"}, usage=usage), said({}, "stop", usage={**usage, "completion_tokens": 2}))
    assert (answer.usage.input, answer.usage.output, answer.usage.cache_read) == (5, 2, None)


def test_unknown_usage_is_none() -> None:
    usage = answer_of(said({"content": "a"}), said({}, "stop")).usage
    assert (usage.input, usage.output, usage.raw) == (None, None, None)


def test_output_includes_reasoning_even_where_the_provider_leaves_it_out() -> None:
    outside = {
        "prompt_tokens": 468,
        "completion_tokens": 82,
        "total_tokens": 870,
        "completion_tokens_details": {"reasoning_tokens": 320},
    }
    inside = {**outside, "completion_tokens": 402}
    assert normal_usage(outside).output == normal_usage(inside).output == 402


def test_a_last_event_without_its_blank_line_counts_if_it_is_whole() -> None:
    whole = sse(said({"content": "a"}), said({}, "stop"))
    answer, _, _ = outcome(read([*whole[:-1], whole[-1].rstrip()]))
    assert answer is not None
    assert answer.text == "a"
    _, message, error = outcome(read([*whole[:-1], whole[-1].rstrip()[:-3]]))
    assert isinstance(error, StreamTruncated)
    assert message.text == "a"


def test_warnings_come_after_the_start_and_before_the_parts() -> None:
    stream = ChatStream(PROFILE, Answering(PROFILE.provider, "m", warnings=[Warned("top_k", "no")]))
    events = stream.chunk(json.dumps(said({"content": "a"}))) + stream.chunk("[DONE]")
    assert [type(event).__name__ for event in events][:4] == ["Started", "Warned", "PartStarted", "PartDelta"]


JUNK = st.recursive(
    st.sampled_from([float("inf"), float("nan"), "\ud83d"])
    | st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from(["", "a", "stop", "{}", "error"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["index", "id", "text", "type"]), inner, max_size=3)
    ),
    max_leaves=4,
)
FUNCTION = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["f", "g", "", None]),
        "arguments": st.sampled_from(["{", "}", '"a":1', "", None]) | JUNK,
    },
)
FRAGMENT = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1, "0", None]),
        "id": st.sampled_from(["a", "b", "", None]),
        "function": FUNCTION | JUNK,
    },
)
DELTA = st.fixed_dictionaries(
    {},
    optional={
        "content": st.sampled_from(["x", "", None]) | JUNK,
        "reasoning": st.sampled_from(["r", None]) | JUNK,
        "reasoning_details": st.lists(JUNK, max_size=2) | JUNK,
        "refusal": st.sampled_from(["no", None]) | JUNK,
        "tool_calls": st.lists(FRAGMENT, max_size=2) | JUNK,
        "function_call": FUNCTION | JUNK,
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 1]),
        "delta": DELTA | JUNK,
        "finish_reason": st.sampled_from([None, "", "stop", "length", "error", "odd"]),
    },
)
CHUNK = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["m", "", None]),
        "choices": st.lists(CHOICE | JUNK, max_size=2) | JUNK,
        "usage": JUNK | st.fixed_dictionaries({"prompt_tokens": JUNK, "completion_tokens": JUNK}),
        "error": JUNK,
    },
)


@given(
    chunks=st.lists(
        st.one_of(CHUNK.map(json.dumps), JUNK.map(json.dumps), st.sampled_from(["[DONE]", "{", ""])), max_size=8
    )
)
def test_whatever_comes_the_stream_keeps_its_grammar(chunks: Any) -> None:
    # M3: the fold refuses every broken rule; a success has a provider's finish reason behind it
    events = read(sse(*chunks))
    state = Fold()
    for event in events:
        state.add(event)
    assert isinstance(events[-1], (Finished, Failed))
    if isinstance(events[-1], Finished):
        assert events[-1].raw_reason is not None
        started = [event.id for event in events if isinstance(event, PartStarted)]
        assert [part.id for part in state.answer().message.parts] == started
    else:
        partial = events[-1].error.partial
        assert partial is None or partial == state.partial()


@given(body=st.one_of(CHUNK, JUNK).map(json.dumps) | st.text(max_size=20))
def test_whatever_body_comes_it_ends_in_one_event(body: Any) -> None:
    assert isinstance(read([body.encode("utf-8", "replace")])[-1], (Finished, Failed))
