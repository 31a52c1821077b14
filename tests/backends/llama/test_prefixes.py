"""The tree of beginnings says what a plain list of prompts would say."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from graphrt.backends.llama.engine.prefixes import Chunk, Match, Prefixes, chunks

SEQUENCES = st.integers(0, 4)
PROMPTS = st.lists(st.integers(0, 2).map(lambda token: (token,)), max_size=5)


@given(st.lists(st.integers(0, 9), max_size=40), st.integers(1, 8))
def test_chunks_are_whole(tokens: list[int], size: int) -> None:
    found = chunks(tokens, size)
    assert [token for chunk in found for token in chunk] == tokens[: len(found) * size]
    assert all(len(chunk) == size for chunk in found)
    assert len(found) == len(tokens) // size


def common(one: list[Chunk], other: list[Chunk]) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


class Tree(RuleBasedStateMachine):
    """Against a table of sequence -> (prompt, how much of it is held)."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = Prefixes()
        self.table: dict[int, tuple[list[Chunk], int]] = {}

    @rule(sequence=SEQUENCES, prompt=PROMPTS)
    def begin(self, sequence: int, prompt: list[Chunk]) -> None:
        self.tree.cut(sequence)
        self.tree.begin(sequence, prompt)
        self.table[sequence] = (prompt, 0)

    @precondition(lambda self: self.table)
    @rule(data=st.data(), count=st.integers(0, 6))
    def reach(self, data: st.DataObject, count: int) -> None:
        sequence = data.draw(st.sampled_from(sorted(self.table)))
        prompt, held = self.table[sequence]
        self.tree.reach(sequence, count)
        self.table[sequence] = (prompt, max(held, min(count, len(prompt))))

    @rule(sequence=SEQUENCES, count=st.integers(0, 6))
    def cut(self, sequence: int, count: int) -> None:
        self.tree.cut(sequence, count)
        prompt, held = self.table.pop(sequence, ([], 0))
        if kept := min(count, held):
            self.table[sequence] = (prompt[:kept], kept)

    @rule(prompt=PROMPTS)
    def match(self, prompt: list[Chunk]) -> None:
        has = {sequence: common(prompt, path[:held]) for sequence, (path, held) in self.table.items()}
        coming = max((common(prompt, path) for path, _ in self.table.values()), default=0)
        held = max(has.values(), default=0)
        holders = tuple(sorted(sequence for sequence, count in has.items() if held and count == held))
        assert self.tree.match(prompt) == Match(held, holders, coming)

    @invariant()
    def every_chunk_is_counted_once(self) -> None:
        held = [tuple(path[:depth]) for path, held in self.table.values() for depth in range(1, held + 1)]
        assert self.tree.held == len(set(held))
        for sequence, (path, reached) in self.table.items():
            assert self.tree.reached(sequence) == reached
            assert self.tree.shared(sequence) == sum(
                held.count(tuple(path[:depth])) > 1 for depth in range(1, reached + 1)
            )

    @invariant()
    def nothing_is_kept_for_nobody(self) -> None:
        if not self.table:
            assert not self.tree._root.children


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=40)
