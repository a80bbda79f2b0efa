"""The process of one host: starts its servers, then does what the plan says, when it says so.

``python -m lab.host PLAN NAME WORK`` prints "ready", reads the start of the day from its input,
and leaves `NAME.json` in WORK: what it opened, and how its activities ended.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

from lab import servers
from lab.attacks import ATTACKS
from lab.clients import ACTIVITIES
from lab.doors import Host
from lab.plan import Event, Plan

_DO = ACTIVITIES | ATTACKS
_FAILURES = (OSError, EOFError)


async def live(host: Host) -> None:
    """Serves and acts until the day of `host` is over."""
    serves = any(h.name == host.name and h.role == "server" for h in host.plan.hosts)
    processes = await servers.start(host.name, host.address, host.work) if serves else []
    print("ready", flush=True)
    line = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        return
    ended: Counter[str] = Counter()
    try:
        await _act(host, float(line), ended)
    finally:
        for process in processes:
            process.terminate()
        report = {"record": host.record, "ended": ended}
        (host.work / f"{host.name}.json").write_text(json.dumps(report))


async def _act(host: Host, start: float, ended: Counter[str]) -> None:
    over = start + host.plan.seconds
    # What is neither done, nor cut, nor a failure of the network is a fault of the lab: it ends it.
    async with asyncio.TaskGroup() as running:
        for event in host.plan.events:
            if event.host == host.name:
                await asyncio.sleep(max(0, start + event.start - time.time()))
                running.create_task(_perform(host, event, over, ended))
        await asyncio.sleep(max(0, over - time.time()))


async def _perform(host: Host, event: Event, over: float, ended: Counter[str]) -> None:
    limit = min(event.seconds, over - time.time())
    how = "done"
    try:
        async with asyncio.timeout(limit):
            await _DO[event.activity](host, Random(event.seed))
    except TimeoutError:
        how = "cut"
    except _FAILURES as failure:
        how = type(failure).__name__
    except ExceptionGroup as several:
        if several.split(_FAILURES)[1] is not None:
            raise
        how = "several failures"
    ended[f"{event.activity} {how}"] += 1


if __name__ == "__main__":
    plan_file, name, work = sys.argv[1:]
    asyncio.run(live(Host(Plan.read(Path(plan_file)), name, Path(work))))
