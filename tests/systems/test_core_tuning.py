import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from torch import nn

import contraview
from contraview.apps.cli import main
from contraview.catalog import find
from contraview.core.errors import InputError
from contraview.core.run import Run
from contraview.core.seeds import torch_generator
from contraview.frameworks.images.finetuning import Labelled
from contraview.frameworks.images.start import read_start
from contraview.modalities.images.data import read_images
from contraview.objectives.sup_con import sup_con
from contraview.systems.core_tuning import CoreTuning, CoreTuningConfig
from contraview.systems.core_tuning.config import PRESETS
from contraview.systems.core_tuning.mixing import Draw, groups_of, hardest, mixed, soft_labels
from contraview.systems.core_tuning.objective import TunedNetwork, core_loss, focal_contrast

sys.path.insert(0, str(Path(__file__).parent))
import tiny
import tiny_images

KNOBS = {"widths": (8, 16), "steps": 20, "batch": 16, "outputs": 8}
TINY = tiny.Tiny(
    tiny_images.data,
    KNOBS,
    labels=tiny_images.labels,
    ask={"search": lambda system: system.search(tiny_images.data(), among=tiny_images.data(), k=3)},
    wrong=("no/such/folder", "", [], 3.5, tiny_images.pixels()),
)
STARTS = ("simclr", "moco", "simsiam")
AS_IT_IS = {"crop": 0, "flip": 0, "jitter": 0, "grey": 0, "blur": 0}
"""No view: the image itself."""


def config(**knobs):
    return CoreTuningConfig.of(**KNOBS | knobs)


def draw(partner, negative, positive):
    return Draw(torch.tensor(partner), torch.tensor(negative), torch.tensor(positive))


@pytest.fixture(scope="module", params=STARTS)
def start(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("starts") / request.param
    asked = tiny.of(request.param)
    cls = tiny_class(request.param)
    cls(**asked.knobs).fit(asked.data(), run=Run(seed=0)).save(folder)
    return folder


def tiny_class(slug):
    return find(slug).load_class()


# which rows are mixed

FEATURES = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.2], [0.1, 1.0]])
TARGETS = torch.tensor([0, 0, 0, 1, 1])


def test_the_hardest_positive_is_of_the_class_and_the_hardest_negative_of_another():
    positive, negative = hardest(FEATURES, TARGETS, "paper")
    assert positive.tolist() == [2, 0, 0, 4, 3]  # row 1 is at 45 degrees to 0 and to 2: the first
    assert negative.tolist() == [3, 3, 4, 0, 2]


def test_a_row_alone_in_its_class_or_a_batch_of_one_class_is_its_own_partner():
    positive, negative = hardest(FEATURES[:3], torch.tensor([0, 0, 1]), "paper")
    assert positive.tolist() == [1, 0, 2]
    assert negative.tolist() == [2, 2, 1]
    assert hardest(FEATURES[:2], torch.tensor([3, 3]), "paper")[1].tolist() == [0, 1]


def test_the_official_search_finds_masked_zeros():
    features = FEATURES + 0.1  # behind a ReLU: all cosines above 0
    positive, negative = hardest(features, TARGETS, "code")
    # the masked zero of lowest number is taken; where that is row 0, the row itself
    assert positive.tolist() == [0, 1, 2, 3, 4]
    assert negative.tolist() == hardest(features, TARGETS, "paper")[1].tolist()
    shares_with_first = hardest(features, torch.tensor([0, 1, 0, 1, 1]), "code")[0]
    assert shares_with_first[2] == 1  # sample 0 shares the class: a row of another class is taken


# mixtures


def test_mixtures_by_hand():
    batch = mixed(FEATURES[1:4], TARGETS[1:4], 2, draw([1, 2, 0], [0.8, 0.9, 1.0], [0.25, 1, 0]))
    f = FEATURES[1:4].numpy()
    negatives = [0.2 * f[0] + 0.8 * f[1], 0.1 * f[1] + 0.9 * f[2], f[0]]
    # the hardest of rows 0, 1, 2 are 1, 0, 2 of the class and 2, 2, 0 of the other
    positives = [0.25 * f[1] + 0.75 * f[2], f[0], f[0]]
    np.testing.assert_allclose(batch.features, np.stack([*f, *negatives, *positives]), atol=1e-6)
    soft = [[1, 0], [1, 0], [0, 1], [1, 0], [0.1, 0.9], [1, 0], [0.25, 0.75], [1, 0], [1, 0]]
    np.testing.assert_allclose(batch.soft, soft, atol=1e-6)


def test_shares_of_negatives_are_clipped_from_below_those_of_positives_are_not():
    drawn = Draw.of(500, config(), torch_generator(0, "draw"))
    assert drawn.negative.min() == pytest.approx(0.8)
    assert (drawn.negative == drawn.negative.min()).float().mean() == pytest.approx(0.8, abs=0.06)
    assert drawn.positive.min() < 0.05
    assert sorted(drawn.partner.tolist()) == list(range(500))
    narrow = Draw.of(500, config(alpha=50.0), torch_generator(0, "draw"))
    assert narrow.positive.std() < 0.1
    again = Draw.of(500, config(), torch_generator(0, "draw"))
    assert all(map(torch.equal, drawn, again))


def test_labels_are_the_same_only_where_they_are_exactly_so():
    first, second = torch.tensor([0, 0, 0, 1, 2, 0]), torch.tensor([1, 1, 1, 0, 2, 0])
    share = torch.tensor([0.8, 0.8, 0.8000001, 0.8, 0.3, 0.77])
    soft = soft_labels(first, second, share, 3)
    whole = torch.eye(3)[[2, 0]]
    groups = groups_of(torch.cat([soft, whole])).tolist()
    assert groups[0] == groups[1]
    assert len({groups[0], groups[2], groups[3]}) == 3
    assert groups[4] == groups[6]  # two of a class, mixed, are of that class: exactly one
    assert groups[5] == groups[7]


def test_many_classes_do_not_collide_as_sums_of_powers_of_ten_do():
    soft = torch.zeros(2, 12)
    soft[:, 11], soft[0, 0], soft[1, 1] = 0.8, 0.2, 0.2
    powers = torch.tensor([10.0**i for i in range(12)])
    assert (soft @ powers).unique().numel() == 1
    assert groups_of(soft).unique().numel() == 2


# the loss


def by_hand(vectors, groups, t, *, focal=True, over_row=False):
    z = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        total = sum(np.exp(z[i] @ z[k] / t) for k in others)
        p = {j: np.exp(z[i] @ z[j] / t) / total for j in others if groups[j] == groups[i]}
        if p:
            terms = [-(1 - each if focal else 1) * np.log(each) for each in p.values()]
            rows.append(sum(terms) / (len(z) if over_row else len(p)))
    return np.mean(rows)


@pytest.mark.parametrize("focal", [True, False])
@pytest.mark.parametrize("over_row", [True, False])
def test_focal_contrast_by_hand(focal, over_row):
    vectors = np.random.default_rng(0).normal(size=(7, 3))
    groups = [0, 0, 1, 1, 1, 2, 3]  # the last two have no positive and are left out of the mean
    found = focal_contrast(
        torch.tensor(vectors), torch.tensor(groups), 0.3, focal=focal, over_row=over_row
    )
    assert found.item() == pytest.approx(by_hand(vectors, groups, 0.3, focal=focal,
                                                 over_row=over_row))  # fmt: skip


def test_without_the_focal_factor_it_is_supervised_contrast():
    vectors = torch.randn(9, 4, generator=torch_generator(0, "v"))
    groups = torch.arange(9) % 3
    assert focal_contrast(vectors, groups, 0.2, focal=False).item() == pytest.approx(
        sup_con(vectors, groups, 0.2).item(), rel=1e-5
    )


def test_a_batch_without_positives_has_no_contrast_and_no_broken_gradient():
    vectors = torch.randn(4, 3, generator=torch_generator(0, "v")).requires_grad_()
    loss = focal_contrast(vectors, torch.arange(4), 0.07)
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()


def labelled_rows():
    return Labelled.of(tiny_images.data(), tiny_images.labels())


def step_of(settings, labelled, encoder=None):
    network = TunedNetwork(
        encoder or nn.Sequential(nn.Flatten(), nn.Linear(768, 6)), 6, 3, settings
    )
    return network, core_loss(labelled, settings)(
        network, torch.arange(9), torch_generator(0, "step")
    )


def test_the_whole_loss_is_cross_entropy_of_all_mixtures_plus_eta_times_the_contrast():
    settings = config(eta=0.5, temperature=0.4, views=AS_IT_IS)
    labelled = labelled_rows()
    torch.manual_seed(0)
    network, step = step_of(settings, labelled)
    pixels, targets = labelled.batch(torch.arange(9), settings.views, torch_generator(0, "step"))
    generator = torch_generator(0, "step")
    settings.views(pixels, generator)
    batch = mixed(network.encoder(pixels), targets, 3, Draw.of(9, settings, generator))
    scores = network.classifier(batch.features)
    soft = -(batch.soft * scores.log_softmax(1)).sum(1)
    assert len(soft) == 27
    groups = [tuple(row) for row in batch.soft.tolist()]
    contrast = by_hand(network.head(batch.features).detach().numpy(), groups, 0.4)
    assert step.loss.item() == pytest.approx(soft.mean().item() + 0.5 * contrast, rel=1e-4)
    assert network.classifier.bias is None


def test_without_mixing_and_contrast_it_is_plain_cross_entropy():
    settings = config(eta=0, mixed=False, views=AS_IT_IS)
    labelled = labelled_rows()
    network, step = step_of(settings, labelled)
    scores = network.classifier(network.encoder(labelled.images.batch(torch.arange(9))))
    expected = nn.functional.cross_entropy(scores, labelled.targets[:9])
    assert step.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert network.head is None
    step.loss.backward()
    assert network.encoder[1].weight.grad.abs().sum() > 0


def test_the_encoder_learns_from_mixtures_alone():
    features = FEATURES.clone().requires_grad_()
    batch = mixed(features, TARGETS, 2, draw([1, 2, 3, 4, 0], [0.8] * 5, [0.5] * 5))
    batch.features[:5].sum().backward(retain_graph=True)
    assert features.grad is not None
    assert not features.grad.any()
    batch.features[5:].sum().backward()
    assert (features.grad.sum(1) > 0).all()


def test_the_codes_mean_over_the_row_makes_the_contrast_smaller():
    labelled = labelled_rows()
    found = {}
    for parity in ("paper", "code"):
        torch.manual_seed(0)
        found[parity] = step_of(config(parity=parity), labelled)[1].terms["contrast"].item()
    assert 0 < found["code"] < found["paper"] / 3


# the system


def test_the_paper_preset_has_the_papers_values():
    paper = CoreTuning.preset("paper").config
    assert (paper.eta, paper.alpha, paper.least, paper.temperature) == (0.1, 1.0, 0.8, 0.07)
    assert (paper.lr, paper.weight_decay, paper.batch) == (0.01, 1e-4, 256)
    assert paper.steps == 100 * (50_000 // 256)
    assert paper.outputs == 256
    assert paper.views.rotate == 15
    assert (paper.parity, paper.mixed, paper.focal) == ("paper", True, True)
    assert PRESETS["small"] == {}


def test_it_begins_with_the_encoder_of_any_model_and_tunes_it(start):
    images, labels = tiny_images.data(), tiny_images.labels()
    begun = read_start(start)
    assert begun.slug == start.name
    before = contraview.load(start)
    with torch.inference_mode():
        found = begun.encoder(images.batch(torch.arange(5))).numpy()
    np.testing.assert_allclose(found, before.embed(images)[:5], atol=1e-6)
    system = CoreTuning(start=str(start), steps=10, batch=16, widths=(4,), outputs=8)
    system.fit(images, labels=labels)
    assert system.config.widths == before.config.widths
    assert system.learnt().facts["data"]["start"] == start.name
    moved = np.abs(system.embed(images) - before.embed(images)).max()
    assert moved > 1e-3
    assert system.classify(images).shape == (60, 3)


def test_few_labels_name_new_images():
    few = tiny_images.labels()
    few[18:] = ""
    knobs = KNOBS | {"widths": (16, 32), "steps": 80, "lr": 3e-3, "views": {"flip": 0, "crop": 0.5}}
    system = CoreTuning(**knobs).fit(tiny_images.data(), labels=few, run=Run(seed=0))
    assert system.learnt().facts["data"]["labelled"] == 18
    chances = system.classify(read_images(tiny_images.pixels(count=90, seed=1)))
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-6)
    named = np.array(system.classes)[chances.argmax(1)]
    assert (named == tiny_images.labels(90)).mean() > 0.85


def test_images_without_a_label_take_no_part(start):
    few = tiny_images.labels()
    few[30:] = ""
    images = tiny_images.data()
    knobs = KNOBS | {"start": str(start), "steps": 3}
    together = CoreTuning(**knobs).fit(images, labels=few)
    alone = CoreTuning(**knobs).fit(images.take(range(30)), labels=few[:30])
    assert together.learnt().facts["data"]["labelled"] == 30
    np.testing.assert_array_equal(together.classify(images), alone.classify(images))


def test_what_is_no_start_is_refused(tmp_path, start):
    images, labels = tiny_images.data(), tiny_images.labels()
    with pytest.raises(InputError, match="learns from labels"):
        CoreTuning(**KNOBS).fit(images)
    with pytest.raises(InputError, match="no such folder"):
        CoreTuning(**KNOBS, start=str(tmp_path / "none")).fit(images, labels=labels)
    other = tiny.of("scgc")
    other.fit(tiny_class("scgc")(**other.knobs), Run(seed=0)).save(tmp_path / "scgc")
    with pytest.raises(InputError, match="a model of scgc with no convolutional encoders"):
        CoreTuning(**KNOBS, start=str(tmp_path / "scgc")).fit(images, labels=labels)
    grey = read_images(tiny_images.pixels()[..., 0])
    with pytest.raises(InputError, match="expected 16 x 16 pixels in colour"):
        CoreTuning(**KNOBS, start=str(start)).fit(grey, labels=labels)


def test_the_command_tunes_a_model_on_a_folder_of_photos(tmp_path, start, capsys):
    for i, (image, name) in enumerate(zip(tiny_images.pixels(24), tiny_images.labels(24),
                                          strict=True)):  # fmt: skip
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        pixels = (image * 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    photos, model = str(tmp_path / "photos"), str(tmp_path / "model")
    told = ["--labels", "label", "--start", str(start), "--steps", "5", "--batch", "8"]
    assert main(["fit", "core_tuning", photos, "--out", model, *told]) == 0
    assert main(["classify", model, photos, "--out", str(tmp_path / "c.csv")]) == 0
    named = pl.read_csv(tmp_path / "c.csv")
    assert named.columns == ["file", "label", "predicted", *(f"p_{n}" for n in tiny_images.NAMES)]
    capsys.readouterr()
    assert main(["fit", "core_tuning", photos, "--out", model + "2"]) == 2
    assert "learns from labels" in capsys.readouterr().err
