"""One network on the Loihi of SANA-FE 2.2.9: what it finds, and how long its run takes.

    python sanafe_run.py NETWORK.npz REPEATS

Needs only sanafe, NumPy and PyYAML. NETWORK.npz has synapses (`pre`, `post`, `weight`), `core`, `kind` (0 free input,
1 replay of the raster at the cost of a neuron, 2 leaky integrate-and-fire) and bit-packed `raster`, `raster_shape`,
`bias`, `threshold`, `leak`. Runs all its steps with each timing model, as often as said, one run after the other: the
raster is repeated, because a replay cannot be wound back; a network of leaky neurons alone starts anew each time.
Prints one line of JSON: the shortest run, and energy and time of the first one. Loading the network is not in the time.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import sanafe
import yaml

TIMINGS = ("simple", "detailed")


def architecture() -> sanafe.Architecture:
    """Loihi, with units on each core that replay a raster and cost what its neurons cost."""
    document = yaml.safe_load(files("sanafe.examples").joinpath("loihi.yaml").read_text(encoding="utf-8"))
    soma = document["architecture"]["tile"][0]["core"][0]["soma"]
    costs = {key: value for key, value in soma[0]["attributes"].items() if key != "model"}
    soma.append({"name": "loihi_replay[0..1023]", "attributes": {"model": "input", **costs}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "loihi.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return sanafe.load_arch(str(path))


def network(arch: sanafe.Architecture, arrays: dict[str, np.ndarray], rounds: int) -> sanafe.Network:
    """The network, its neurons mapped to their cores in ascending order, its raster repeated."""
    core, kind = arrays["core"].tolist(), arrays["kind"].tolist()
    spikes = np.unpackbits(arrays["raster"], axis=1, count=len(core)).T.astype(bool)
    bias = arrays["bias"].tolist() or [0.0] * len(core)
    leaky = {"threshold": float(arrays["threshold"]), "leak_decay": float(arrays["leak"]), "input_decay": 0.0}
    cores = [unit for tile in arch.tiles for unit in tile.cores]
    net = sanafe.Network()
    group = net.create_neuron_group("n", len(core))
    units: dict[tuple[int, int], int] = {}
    for number, (where, what) in enumerate(zip(core, kind, strict=True)):
        neuron = group.neurons[number]
        if what == 2:
            attributes = {**leaky, "bias": bias[number]}
            neuron.set_attributes(soma_hw_name="loihi_lif", model_attributes=attributes)
        else:
            unit = units.get((where, what), 0)
            units[where, what] = unit + 1
            name = f"loihi_{'replay' if what else 'inputs'}[{unit}]"
            neuron.set_attributes(soma_hw_name=name, model_attributes={"spikes": spikes[number].tolist() * rounds})
        neuron.map_to_core(cores[where])
    weights = arrays["weight"].tolist() or [0.0] * len(arrays["pre"])  # a replay takes no current
    pairs = list(zip(arrays["pre"].tolist(), arrays["post"].tolist(), strict=True))
    if pairs:
        group.connect_neurons_sparse(group, {"weight": weights}, pairs)
    return net


def main() -> None:
    """Load, run, print."""
    path, repeats = sys.argv[1], int(sys.argv[2])
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    steps = len(arrays["raster"])
    arch = architecture()
    chip = sanafe.SpikingChip(arch)
    chip.load(network(arch, arrays, rounds=repeats * len(TIMINGS)))
    answer = {}
    for timing in TIMINGS:
        rounds = []
        for _ in range(repeats):
            if (arrays["kind"] == 2).all():
                chip.reset()
            begin = time.perf_counter()
            found = chip.sim(steps, timing_model=timing)
            rounds.append((time.perf_counter() - begin, found))
        energy_j, sim_s = rounds[0][1]["energy"]["total"], rounds[0][1]["sim_time"]
        answer[timing] = {"seconds": min(seconds for seconds, _ in rounds), "energy_j": energy_j, "time_s": sim_s}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
