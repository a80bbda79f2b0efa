"""The page as people use it, in Chromium."""

import json
import time

import pytest
from eve import HOSTILE, line
from in_thread import InThread

from contraview.apps.serve.alerts import Alerts, Settings
from contraview.apps.serve.service import application

TOKEN = "a-token-for-the-tests"
ROWS = "document.querySelectorAll('.row time').length"


class Page(InThread):
    """The service on a made-up log, without a watcher."""

    def __init__(self, folder, model, *, token=None, redact=False):
        self.alerts = Alerts(Settings(model, HOSTILE, folder / "out", redact=redact))
        super().__init__(
            application(
                self.alerts.about,
                self.alerts.routers(),
                metrics=self.alerts.metrics,
                healthy=lambda: None,
                token=token,
            )
        )

    def take(self, *lines):
        with (self.alerts.settings.out / "alerts.jsonl").open("ab") as log:
            log.writelines(lines)
        return self.alerts.intake.take()

    def stop(self):
        super().stop()
        self.alerts.stop()


@pytest.fixture
def page(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "system.json").write_text("{}")
    begun = []

    def begin(**settings):
        begun.append(Page(tmp_path, model, **settings))
        return begun[-1]

    yield begin
    for each in begun:
        each.stop()


INPUTS = {"fwd_iat_max": 1.0}


def some():
    """Three groups of which the last has a hostile field."""
    return [
        line(1, own_inputs=INPUTS),
        line(2, 10, dest_port=80, own_inputs=INPUTS),
        line(3, 20, src_ip="10.0.0.5", alert={"severity": 1}, own_inputs=INPUTS),
        line(4, 30, src_ip=HOSTILE, own_rule="service", own_inputs=INPUTS),
    ]


def test_open_filter_and_open_a_reason(browser, page):
    served = page()
    served.take(*some())
    tab = browser.page()
    tab.open(served.url)
    tab.until(f"{ROWS} === 3")
    assert tab.js("document.title") == "3 open groups of alerts · contraview"
    tab.type("[type=search]", "10.0.0.5")
    tab.until(f"{ROWS} === 1")
    tab.click(".row")
    tab.until("document.querySelector('.detail table') !== null")
    text = tab.text()
    assert "fwd_iat_max" in text
    assert "99.9 %" in text
    assert "isolation forest" not in text, "the views that there are"
    assert "CLAN" in text
    assert all("422" in said for said in tab.complaints()), "this model places no flow"
    own = {url for url in tab.requested() if not url.startswith(served.url)}
    assert own == set(), "nothing is loaded from elsewhere"


def test_a_hostile_field_stays_text(browser, page):
    served = page()
    served.take(*some())
    tab = browser.page()
    tab.open(served.url)
    tab.until(f"{ROWS} === 3")
    tab.click(".row")
    tab.until("document.querySelector('.detail table') !== null")
    assert HOSTILE in tab.js("document.querySelector('.row').innerText")
    assert HOSTILE in tab.js("document.querySelector('.detail').innerText")
    assert HOSTILE in tab.js("document.querySelector('#status').innerText")
    assert tab.js("document.querySelectorAll('img').length") == 0
    assert "contraview" in tab.js("document.title")


def test_suppress_label_and_reload(browser, page):
    served = page()
    served.take(*some())
    tab = browser.page()
    tab.open(served.url)
    tab.until(f"{ROWS} === 3")
    tab.press("j")
    tab.press("j")
    tab.until("document.querySelector('.detail .ends')?.innerText.startsWith('10.0.0.5')")
    tab.press("s")
    tab.until("document.querySelector('dialog .said')?.innerText.includes('1 alert in 1 group')")
    tab.type("[name=note]", HOSTILE)
    tab.click("dialog .main")
    tab.until(f"{ROWS} === 2")
    tab.until("document.querySelector('#toast').innerText.includes('Suppressed: host 10.0.0.5')")
    tab.js("document.querySelectorAll('.row')[1].click()")
    tab.until("document.querySelector('.detail .ends')?.innerText.startsWith('192.0.2.7')")
    tab.press("a")
    tab.until("document.querySelector('dialog[open] input') !== null")
    tab.type("dialog input", "port scan")
    tab.click("dialog .main")
    tab.until(f"{ROWS} === 1")
    tab.call("Page.reload")
    time.sleep(0.5)
    tab.until(f"{ROWS} === 1")
    tab.until("document.querySelector('.detail')?.innerText.includes('port scan')", 10)
    tab.open(served.url + "#taught")
    tab.until("document.body.innerText.includes('host 10.0.0.5')")
    assert HOSTILE in tab.text()
    assert "port scan" in tab.text()


def test_two_browsers_agree(browser, page):
    served = page()
    served.take(*some())
    tabs = [browser.page(), browser.page(width=390, height=800, dark=True)]
    for tab in tabs:
        tab.open(served.url)
        tab.until(f"{ROWS} === 3")
    tabs[0].click(".row")
    tabs[0].click("[data-does=benign]")
    for tab in tabs:
        tab.until(f"{ROWS} === 2")
    served.take(line(9, 4000, src_ip="10.0.0.9", own_inputs=INPUTS))
    for tab in tabs:
        tab.until(f"{ROWS} === 3")
    tabs[1].js("document.querySelector('#toast button')?.click()")
    tabs[0].click("#toast button")
    for tab in tabs:
        tab.until(f"{ROWS} === 4")


def test_what_comes_does_not_move_what_is_read(browser, page):
    served = page()
    served.take(*(line(i, i * 4000, src_ip=f"10.0.{i // 200}.{i % 200}") for i in range(400)))
    tab = browser.page()
    tab.open(served.url)
    tab.until(f"{ROWS} > 5")
    assert tab.js("document.querySelectorAll('.row').length") < 40, "only what is in sight"
    tab.js("document.querySelector('.list').scrollTop = 58 * 200")
    tab.until("document.querySelector('#row-203 time') !== null")
    before = tab.js("document.querySelector('#row-203').innerText")
    served.take(line(900, 9_000_000, src_ip="10.9.9.9"))
    tab.until("!document.querySelector('.fresh').hidden")
    assert tab.js("document.querySelector('#row-203').innerText") == before
    tab.click(".fresh")
    tab.until("document.querySelector('#row-0')?.innerText.includes('10.9.9.9')")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, page):
    served = page()
    served.take(*some())
    tab = browser.page(width=390, height=800)
    tab.open(served.url)
    tab.until(f"{ROWS} === 3")
    wide = "document.documentElement.scrollWidth"
    assert tab.js(wide) <= 390
    tab.click(".row")
    tab.until("document.querySelector('.detail table') !== null")
    assert tab.js(wide) <= 390
    assert tab.js("document.querySelector('.detail').getBoundingClientRect().width") == 390
    tab.click(".detail .close")
    assert tab.js("getComputedStyle(document.querySelector('.detail')).display") == "none"
    for part in ("taught", "counters"):
        tab.open(f"{served.url}#{part}")
        tab.until(f"document.querySelector('[data-part={part}]').ariaSelected === 'true'")
        assert tab.js(wide) <= 390


def test_the_token_is_asked_for(browser, page):
    served = page(token=TOKEN, redact=True)
    served.take(*some())
    tab = browser.page()
    tab.open(served.url)
    tab.until("document.querySelector('dialog[open] input') !== null")
    assert tab.js(ROWS) == 0
    tab.type("dialog input", "wrong-token-of-nobody")
    tab.click("dialog .main")
    time.sleep(0.5)
    tab.until("document.querySelector('dialog[open] input')?.value === ''")
    tab.type("dialog input", TOKEN)
    tab.click("dialog .main")
    tab.until(f"{ROWS} === 3")
    assert "192.0.2.7" not in json.dumps(tab.js("document.body.innerHTML"))
    assert "host-" in tab.text()
