"""What has a name is whole, whatever ends the writing of it."""

import errno

import pytest

from contraview.core.whole_file import append_line, replacing, write_bytes, write_together


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "a.txt"
    write_bytes(path, b"before")

    def half():
        with replacing(path) as beside:
            beside.write_bytes(b"aft")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        half()
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / "a.txt.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as full:
        write_bytes(path, b"x" * 10)
    assert full.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("full", range(3))
def test_of_several_files_none_is_replaced_unless_all_can_be(tmp_path, full):
    names = ["a", "b", "c"]
    for name in (*names, "gone"):
        (tmp_path / name).write_text("before")
    (tmp_path / f"{names[full]}.partial").symlink_to("/dev/full")
    later = [(tmp_path / name, b"after") for name in names]
    with pytest.raises(OSError, match="No space left"):
        write_together(later, instead_of=[tmp_path / "gone"])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        (*names, "gone"), "before"
    )
    write_together(later, instead_of=[tmp_path / "gone"])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        names, "after"
    )


def test_a_line_that_a_crash_cut_stays_apart(tmp_path):
    log = tmp_path / "events.jsonl"
    append_line(log, "one")
    with log.open("a") as file:
        file.write('{"tw')
    append_line(log, "three")
    append_line(log, "four")
    assert log.read_text() == 'one\n{"tw\nthree\nfour\n'


def test_a_line_on_a_full_disk_names_the_log(tmp_path):
    log = tmp_path / "events.jsonl"
    log.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as full:
        append_line(log, "one")
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(log))
