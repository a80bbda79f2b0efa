import shutil
import subprocess
from pathlib import Path

import pytest

SWITCHES = """
headless no-sandbox disable-gpu disable-quic no-first-run disable-sync disable-component-update
disable-background-networking enable-logging=stderr dump-dom
"""
FLAGS = [f"--{switch}" for switch in SWITCHES.split()]


def shown(path: Path) -> tuple[str, list[str]]:
    """The page as Chromium understands it, and what it complains of in its console."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    profile = f"--user-data-dir={path.parent / 'profile'}"
    ran = subprocess.run(
        [chromium, *FLAGS, profile, path.as_uri()], capture_output=True, text=True, timeout=600
    )
    return ran.stdout, [line for line in ran.stderr.splitlines() if "CONSOLE" in line]


def test_opens_in_a_browser_without_a_complaint(made_page: str, tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text(made_page)
    dom, complaints = shown(path)
    assert complaints == []
    assert dom.count("<section") == 11
    assert dom.count("<svg") == made_page.count("<svg")
    assert "<script" not in dom


def test_the_policy_stops_a_script(made_page: str, tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text(made_page.replace("<main>", "<main><script>document.title=1</script>"))
    _, complaints = shown(path)
    assert any("Content Security Policy" in line for line in complaints)
