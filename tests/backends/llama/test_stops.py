"""No part of a stop string is ever said."""

from hypothesis import given
from hypothesis import strategies as st

from graphrt.backends.llama.chat.stops import StopStrings


@given(
    st.text(alphabet="abc", max_size=30),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_no_stop_string_ever_leaks(text: str, stops: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    watch = StopStrings(stops)
    out = "".join(watch.feed(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)) + watch.end()
    found = [at for stop in stops if (at := text.find(stop)) >= 0]
    assert watch.hit == bool(found)
    assert not any(stop in out for stop in stops)
    assert text.startswith(out)
    if not found:
        assert out == text
