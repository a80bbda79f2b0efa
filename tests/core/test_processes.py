"""Of several processes one writes."""

from contraview.core.processes import is_main, rank, started
from contraview.core.run import Run


def test_without_a_launcher_there_is_one_process(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (rank(), started(), is_main()) == (0, 1, True)


def test_only_the_main_process_writes_events_shows_progress_and_looks_at_the_folder(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    for number in (0, 1):
        monkeypatch.setenv("RANK", str(number))
        run = Run(tmp_path / "run", show=True)
        assert run.show is (number == 0)
        run.log("here", rank=number)
    assert [event["rank"] for event in run.events()] == [0]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "split.json").touch()  # what the main process may have written first
    Run(tmp_path / "other")
