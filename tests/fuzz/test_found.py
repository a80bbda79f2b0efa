"""Every input that was a finding once, given to its reader again."""

from pathlib import Path

import pytest
from tests.fuzz.judge import judge
from tests.fuzz.readers import NAMES, reader

CASES = sorted(path for path in Path(__file__).with_name("found").glob("*/*") if path.is_file())


@pytest.mark.timeout(60)
@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_read_or_refused_in_one_line(case, tmp_path):
    judge(reader(case.parent.name), case.read_bytes(), tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_the_seeds_are_read_or_refused_in_one_line(name, tmp_path):
    said = [judge(reader(name), content, tmp_path) for content in reader(name).seeds()]
    assert "" in said, f"expected one that is read: {said}"
