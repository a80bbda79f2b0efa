import subprocess
import sys

import pytest

import contraview
from contraview.catalog import ENTRIES, find
from contraview.core.errors import InputError
from contraview.core.verbs import VERBS


def test_there_are_53_papers_with_a_slug_each():
    papers = [entry for entry in ENTRIES if entry.kind == "paper"]
    assert len(papers) == 53
    assert len({entry.slug for entry in ENTRIES}) == len(ENTRIES)
    assert [entry.slug for entry in papers] == sorted(entry.slug for entry in papers)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.built], ids=lambda e: e.slug)
def test_what_is_built_can_be_imported_and_has_its_verbs(entry):
    system = entry.load_class()
    assert system.slug == entry.slug
    for verb in entry.verbs.split():
        assert hasattr(system, verb)
        assert verb in VERBS


def test_a_system_is_found_by_its_class_name():
    assert contraview.Clan.slug == "clan"
    with pytest.raises(AttributeError, match="no attribute 'Klan'"):
        contraview.Klan  # noqa: B018


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match="did you mean 'clan'"):
        find("clann")


def test_what_is_not_built_says_so():
    missing = next(entry for entry in ENTRIES if not entry.built)
    with pytest.raises(InputError, match="not built in this version"):
        missing.load_class()


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["list", "--json"], ["info", "clan"]])
def test_help_and_contents_import_nothing_heavy(arguments):
    code = (
        "import sys; from contraview.apps.cli import main; "
        f"assert main({arguments!r}) == 0; "
        "heavy = {'torch', 'numpy', 'pydantic', 'tyro', 'polars', 'sklearn'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "clan" in done.stdout
