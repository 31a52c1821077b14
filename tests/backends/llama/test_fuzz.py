"""No request and no file ends the process: a few here, many in `tests/torture`."""

import pytest

pytest.importorskip("tests.llama")

from tests.backends.llama.fuzz import survives


def test_no_request_ends_the_process() -> None:
    ended = survives("requests", 0, 20)
    assert ended["length"] + ended["stop"] > 3, ended
    assert ended["BadRequest"] > 3, ended


def test_no_damaged_file_ends_the_process() -> None:
    ended = survives("files", 0, 8)
    assert ended["BackendError"] > 3, ended
