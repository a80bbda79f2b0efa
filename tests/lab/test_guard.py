"""No generator gets past the gate, and none goes around it."""

import ast
import asyncio
from pathlib import Path

import pytest
from lab.doors import Host, Note
from lab.guard import OutsideLabError, inside, inside_all
from lab.plan import plan

import lab

SOURCES = Path(lab.__file__).parent


@pytest.mark.parametrize("address", ["10.77.1.2", "10.77.3.254"])
def test_lab_hosts_pass(address):
    assert inside(address) == address


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "127.0.0.1", "10.78.0.1", "192.168.1.1", "10.77.1.255", "10.77.1.0",
     "10.77.1.0/24", "10.77.1.1-9", "example.org", "localhost", "::1", "", "10.77.1"],
)  # fmt: skip
def test_everything_else_is_refused(address):
    with pytest.raises(OutsideLabError):
        inside(address)


def test_a_command_for_a_lab_host_passes_unchanged():
    command = ["curl", "-m", "5", "http://10.77.1.2/0.bin"]
    assert inside_all("10.77.1.2", command) == command


@pytest.mark.parametrize(
    "command",
    [
        ["nmap", "10.77.1.2", "93.184.216.34"],
        ["nmap", "10.77.1.2", "10.77.1.0/24"],
        ["nmap", "10.77.1.2", "10.77.1.3-9"],
        ["nmap", "10.77.1.2", "10.77.*.1"],
        ["nmap", "-iR", "5", "10.77.1.2"],
        ["nice", "-n", "19", "hping3", "--rand-source", "10.77.1.2"],
        ["hping3", "-a", "10.77.1.9", "10.77.1.2"],
        ["hydra", "-M", "targets", "ssh://10.77.1.2"],
        ["curl", "http://1.1.1.1/?q=10.77.1.2"],
        ["curl", "http://example.org/"],
    ],
)
def test_a_command_that_could_reach_further_is_refused(command):
    with pytest.raises(OutsideLabError):
        inside_all("10.77.1.2", command)


@pytest.fixture
def stray(tmp_path):
    """A host whose plan points at a server outside the lab; it has the doors of any other."""
    day = plan(1, 7, 0.5)
    web = next(h for h in day.hosts if h.name == "web")
    hosts = tuple(h for h in day.hosts if h.name != "web")
    outside = type(web)("web", "93.184.216.34", web.role, web.link, web.system)
    host = Host.__new__(Host)
    host.plan = type(day)(1, 7, 30.0, (outside, *hosts), ())
    host.name, host.work, host.address, host.record = "files", tmp_path, "127.0.0.1", []
    return host


def test_every_door_refuses_an_outside_server(stray):
    note = Note("benign", "web", "test")

    async def try_doors():
        with pytest.raises(OutsideLabError):
            async with stray.connect(note, "web", 80):
                pass
        with pytest.raises(OutsideLabError), stray.datagrams(note, "web", 53):
            pass
        with pytest.raises(OutsideLabError):
            async with stray.tool(note, "web", ["true", "93.184.216.34"]):
                pass

    asyncio.run(try_doors())
    assert stray.record == []


@pytest.mark.parametrize("module", ["clients.py", "attacks.py", "talk.py"])
def test_generators_have_no_way_but_the_doors(module):
    tree = ast.parse((SOURCES / module).read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not imported & {"socket", "subprocess", "urllib.request", "http.client", "ftplib", "ssl"}
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {
        "open_connection", "create_connection", "create_datagram_endpoint", "sock_connect",
        "create_subprocess_exec", "create_subprocess_shell", "system", "popen",
    }  # fmt: skip
