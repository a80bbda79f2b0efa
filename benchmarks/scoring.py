"""CLAN's centre against five nearest neighbours in the same embedding: CPU time a flow.

Contrastive detectors whose benign embeddings are spread over the sphere have to keep a bank of
them and search it for every flow; CLAN keeps one direction. Both arms pay the same forward pass
of the same encoder (width 64, four blocks, 64 outputs, untrained: time does not depend on the
weights). The peer is scikit-learn's NearestNeighbors, brute force, which is its fastest there.

    python benchmarks/scoring.py [--bank 13000] [--json FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from contraview.frameworks.one_class.centroid import Centroid
from contraview.index.exact import nearest
from contraview.systems.clan import ClanConfig
from contraview.systems.clan.pretraining import fresh_encoder

INPUTS, FLOWS, REPEATS = 72, 8_192, 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bank", type=int, default=13_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    encoder = fresh_encoder(ClanConfig(width=64, depth=4, outputs=64), INPUTS, seed=0).eval()
    draw = torch.Generator().manual_seed(0)
    benign, flows = (torch.randn(n, INPUTS, generator=draw) for n in (chosen.bank, FLOWS))

    @torch.inference_mode()
    def embed(rows: torch.Tensor) -> np.ndarray:
        return encoder(rows).numpy()

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    bank = unit(embed(benign))
    centroid = Centroid.fit(embed(benign))
    peer = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(bank)
    arms = {
        "centre": lambda: centroid.score(embed(flows)),
        "5-NN, scikit-learn": lambda: peer.kneighbors(unit(embed(flows)))[0][:, -1],
        "5-NN, contraview": lambda: nearest(
            torch.from_numpy(bank), torch.from_numpy(unit(embed(flows))), 5
        ),
    }
    spent: dict[str, list[float]] = {name: [] for name in arms}
    with threadpool_limits(1):
        for repeat in range(REPEATS + 1):
            for name, arm in arms.items():
                before = time.process_time()
                arm()
                if repeat:
                    spent[name].append(time.process_time() - before)
    micros = {name: 1e6 * statistics.median(times) / FLOWS for name, times in spent.items()}
    result = {
        "benchmark": "scoring",
        "bank": chosen.bank,
        "flows": FLOWS,
        "repeats": REPEATS,
        "versions": {"torch": torch.__version__, "scikit-learn": sklearn.__version__},
        "microseconds a flow": {name: round(value, 2) for name, value in micros.items()},
        "times cheaper": {
            name: round(value / micros["centre"], 1)
            for name, value in micros.items()
            if name != "centre"
        },
    }
    text = json.dumps(result, indent=2)
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
