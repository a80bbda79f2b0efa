import gzip
import os
import shutil

import pytest

from contraview.modalities.flows.live.tail import Tail as Followed

OPEN = []


def Tail(*arguments):
    OPEN.append(Followed(*arguments))
    return OPEN[-1]


@pytest.fixture(autouse=True)
def close_all():
    yield
    while OPEN:
        OPEN.pop().close()


def drained(tail, most=50):
    """All bytes there are, by file."""
    files, quiet = [b""], 0
    for _ in range(most):
        piece = tail.read(64)
        if piece is None:
            quiet += 1
            if quiet == 3:
                break
            continue
        quiet = 0
        if piece.head is not None and not piece.at:
            files.append(b"")
        files[-1] += piece.data
    return [file for file in files if file]


def text(tail):
    return b"".join(drained(tail)).decode()


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "conn.log"
    path.write_text("first 1\n")
    return path


def add(path, words):
    with path.open("a") as file:
        file.write(words)


def rotate(path, name, *, packed=False):
    if packed:
        (path.parent / name).write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    else:
        path.rename(path.parent / name)


def test_a_log_that_grows_is_read_as_it_grows(log):
    tail = Tail(log)
    assert text(tail) == "first 1\n"
    assert tail.read(64) is None
    add(log, "first 2\nhalf")
    assert text(tail) == "first 2\nhalf"
    assert tail.behind() == 0


def test_a_renamed_log_is_read_to_its_end_before_the_next(log):
    tail = Tail(log)
    assert text(tail) == "first 1\n"
    with log.open("a") as writer:  # as Suricata does until it is told to reopen its log
        rotate(log, "conn.log.1")
        log.write_text("second 1\n")
        assert tail.read(64) is None
        writer.write("first 2\n")
    assert text(tail) == "first 2\nsecond 1\n"


def test_a_log_copied_away_and_emptied_is_read_to_its_end_from_the_copy(log):
    tail = Tail(log)
    assert text(tail) == "first 1\n"
    add(log, "first 2\n")
    shutil.copy2(log, log.with_name("conn.log.1"))
    os.truncate(log, 0)
    assert text(tail) == "first 2\n"
    add(log, "second\n")
    assert text(tail) == "second\n"


@pytest.mark.parametrize("packed", [False, True])
def test_after_a_restart_all_files_rotated_since_are_read_in_order(log, packed):
    tail = Tail(log)
    assert tail.read(6).data == b"first "
    saved = tail.place()
    tail.close()
    endings = (".log.gz", ".log.gz") if packed else (".log", ".log")
    add(log, "first 2\n")
    rotate(log, f"conn.01-00-00{endings[0]}", packed=packed)
    log.write_text("second\n")
    rotate(log, f"conn.02-00-00{endings[1]}", packed=packed)
    log.write_text("third\n")
    assert text(Tail(log, saved)) == "1\nfirst 2\nsecond\nthird\n"


def test_what_was_rotated_before_the_start_is_left_alone(log):
    rotate(log, "conn.01.log")
    log.write_text("second\n")
    tail = Tail(log)
    assert text(tail) == "second\n"
    os.utime(log.with_name("conn.01.log"))  # packing or copying makes it look young
    rotate(log, "conn.02.log")
    log.write_text("third\n")
    assert text(tail) == "third\n"


def test_a_file_and_its_packed_copy_are_one(log):
    tail = Tail(log)
    text(tail)
    saved = tail.place()
    rotate(log, "conn.1.log")
    log.write_text("second\n")
    rotate(log, "conn.2.log")
    (log.parent / "conn.2.log.gz").write_bytes(gzip.compress(b"second\n"))
    log.write_text("third\n")
    assert text(Tail(log, saved)) == "second\nthird\n"


def test_zeeks_dated_folders_are_searched(tmp_path):
    (tmp_path / "current").mkdir()
    log = tmp_path / "current" / "conn.log"
    log.write_text("first\n")
    tail = Tail(log)
    text(tail)
    saved = tail.place()
    day = tmp_path / "2026-01-02"
    day.mkdir()
    add(log, "more\n")
    (day / "conn.00:00:00-01:00:00.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()
    log.write_text("second\n")
    (day / "conn-summary.00:00:00-01:00:00.log.gz").write_bytes(gzip.compress(b"no log\n"))
    assert text(Tail(log, saved)) == "more\nsecond\n"


def test_a_log_that_cannot_be_found_again_is_said_to_be_lost(log):
    tail = Tail(log)
    text(tail)
    saved = tail.place()
    log.unlink()
    log.write_text("another\n")
    tail = Tail(log, saved)
    assert tail.lost
    assert text(tail) == "another\n"


def test_a_restart_between_two_files_goes_on_with_the_next(log):
    tail = Tail(log)
    text(tail)
    rotate(log, "conn.1.log")
    log.write_text("second\n")
    while tail.read(64) is None:
        pass
    saved = tail.place()
    assert text(Tail(log, saved)) == "second\n"


def test_a_name_that_is_gone_for_a_moment_is_waited_for(log):
    tail = Tail(log)
    text(tail)
    rotate(log, "conn.1.log")
    assert tail.read(64) is None
    log.write_text("")
    assert tail.read(64) is None
    add(log, "second\n")
    assert text(tail) == "second\n"


def test_a_damaged_packed_log_gives_what_can_be_unpacked(log):
    tail = Tail(log)
    text(tail)
    saved = tail.place()
    packed = gzip.compress(b"first 1\n" + b"more\n" * 50)
    (log.parent / "conn.1.log.gz").write_bytes(packed[: len(packed) - 6])
    log.write_text("second\n")
    assert text(Tail(log, saved)).endswith("second\n")
