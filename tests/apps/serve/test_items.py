"""The page of every other system: places, neighbours, colours, and how each wing draws an item."""

import io
import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from in_thread import InThread
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[2] / "systems"))

import tiny

from contraview import catalog
from contraview.apps.cli import main
from contraview.apps.serve import items as module
from contraview.apps.serve.items import Items, items_api
from contraview.apps.serve.service import application
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.shown import show
from contraview.modalities.flows.data import read_flows
from contraview.modalities.text.data import read_texts

KINDS = {
    "simclr": "image/png",
    "mirror_bert": "text/plain",
    "point_cmae": "image/svg+xml",
    "scgc": "text/plain",
    "dna_esa": "text/plain",
    "biosignals": "image/svg+xml",
    "ts_forecast": "image/svg+xml",
    "clan": "text/plain",
}
"""One system a wing, and what its items are shown as."""


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    """The page of a system fitted on tiny data."""
    slug = request.param
    small = tiny.of(slug)
    folder = tmp_path_factory.mktemp(slug) / "model"
    system = catalog.find(slug).load_class()(**small.knobs)
    small.fit(system, Run(folder, seed=0))
    return Items(system, small.data(), folder)


def test_every_wing_draws_its_items(made):
    for i in (0, len(made.data) - 1):
        shown = show(made.data, i)
        assert shown.kind == KINDS[made.system.slug]
        if shown.kind == "image/svg+xml":
            tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(shown.content)}
            assert tags <= {"path", "circle"}
            assert tags
        elif shown.kind == "image/png":
            pixels = np.asarray(Image.open(io.BytesIO(shown.content)))
            np.testing.assert_array_equal(pixels, made.data.pixels[i].transpose(1, 2, 0))
        else:
            assert len(shown.content) > 1


def test_places_and_neighbours_are_those_of_the_embeddings(made):
    about = made.about()
    assert about["items"] == len(made.data)
    if made.system.slug == "ts_forecast":
        assert not about["mapped"]
        return
    vectors = np.asarray(made.system.embed(made.data), dtype=np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.array(made.places())
    assert places.shape == (len(vectors), 2)
    centred = unit - unit.mean(axis=0)
    np.testing.assert_allclose(
        (places**2).sum(0), np.linalg.svd(centred)[1][:2] ** 2, rtol=0.01, atol=1e-9
    )
    near = made.neighbours(1, 5)
    cosine = unit @ unit[1]
    assert near[0]["item"] != 1
    best = np.sort(np.delete(cosine, 1))[::-1][:5]
    np.testing.assert_allclose([each["similarity"] for each in near], best, atol=2e-3)


def test_an_item_says_what_is_known_of_it_and_json_holds_it(made):
    facts = made.item(0)["facts"]
    json.dumps([facts, made.about(), made.colours, made.curves()], allow_nan=False)
    assert facts
    for colour in made.colours.values():
        assert len(colour["kinds"]) == len(made.data)
        assert max(colour["kinds"]) < len(colour["names"])
    steps = [step for run in made.curves().values() for step in run]
    assert steps or made.system.slug in ("ts_forecast", "dna_esa", "clan", "scgc")
    with pytest.raises(module.HTTPException):
        made.item(len(made.data))


def test_what_texts_and_flows_hold_stays_text(tmp_path):
    hostile = "<svg onload=alert(1)>\u202e"
    shown = show(read_texts([hostile, "b"]), 0)
    assert (shown.kind, shown.content) == ("text/plain", b"<svg onload=alert(1)>\\u202e")
    (tmp_path / "flows.csv").write_text(f'a,b\n1,"{hostile}"\n2,c\n')
    shown = show(read_flows(tmp_path / "flows.csv", categorical=("b",)), 0)
    assert shown.kind == "text/plain"


def test_of_many_items_some_are_drawn_the_same_each_time(monkeypatch):
    class Lengths:
        slug = "lengths"

        def embed(self, data):
            return np.array([[len(each), 1.0] for each in data.strings])

    data = read_texts(["x" * (i + 1) for i in range(300)])
    monkeypatch.setattr(module, "MOST", 50)
    first, again = (Items(Lengths(), data, Path("m")) for _ in range(2))
    assert first.about()["all"] == 300
    np.testing.assert_array_equal(first.rows, again.rows)
    assert len(first.rows) == 50
    row = int(first.rows[7])
    assert first.item(7)["row"] == row
    assert len(show(first.data, 7).content) == row + 1


def test_two_items_are_needed(tmp_path):
    with pytest.raises(InputError, match="expected at least 2"):
        Items(None, read_texts(["one"]), tmp_path)


def test_what_goes_with_watching_is_refused_without(tmp_path, capsys):
    assert main(["serve", str(tmp_path), "data.csv", "--redact"]) == 2
    assert "go with --watch" in capsys.readouterr().err


def test_the_page_of_images(browser, tmp_path):
    small = tiny.of("simclr")
    system = catalog.find("simclr").load_class()(**small.knobs)
    small.fit(system, Run(tmp_path / "model", seed=0))
    made = Items(system, small.data(), tmp_path / "model")
    guard = application(made.about, [items_api(made)], metrics=list, healthy=lambda: None)
    served = InThread(guard)
    try:
        tab = browser.page()
        tab.open(served.url)
        tab.until("document.querySelector('canvas') !== null")
        tab.until("document.querySelector('.legend')?.innerText.includes('slanted')")
        tab.js("document.querySelector('input.jump').value = 7")
        tab.js("document.querySelector('input.jump').dispatchEvent(new Event('change'))")
        tab.until("document.querySelectorAll('.thumb img').length === 13")
        tab.until(
            "[...document.querySelectorAll('.thumb img')].every((i) => i.naturalWidth === 16)"
        )
        near = [each["item"] for each in made.neighbours(7, 12)]
        tab.click(".gallery .thumb")
        tab.until(f"document.querySelector('.detail h2')?.innerText === 'Item {near[0]}'")
        assert tab.js("location.hash").startswith(f"#items?item={near[0]}")
        tab.open(f"{served.url}#run")
        tab.until("document.querySelectorAll('.curves svg').length === 2")
        steps = sum(map(len, made.curves().values()))
        assert (
            tab.js("document.querySelectorAll('.curves svg')[0].querySelectorAll('circle').length")
            == steps
            > 0
        )
        assert tab.complaints() == []
        assert all(url.startswith((served.url, "blob:")) for url in tab.requested())
    finally:
        served.stop()
