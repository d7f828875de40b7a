"""MobileNet-v1 on FER2013's own seven labels.

    .venv/bin/python benchmarks/papers/fer2013.py DATA --work DIR [--weights FILE]

DATA is the dataset folder of ``fermobile data import fer2013``.  The row goes to rows/fer2013.jsonl.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from judge import judged
from record import Record

from fermobile.data.manifest import Dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--weights", default="imagenet", help="as of fermobile train")
    options = parser.parse_args()
    data, start = Dataset(options.data), Path(options.weights).stem
    with Record("fer2013").run({"recipe": "mobilenet_v1_fer2013", "weights": start}, data) as figures:
        if figures is not None:
            from fermobile.training.recipe import load_recipe
            from fermobile.training.transfer import train

            recipe = load_recipe("mobilenet_v1_fer2013").override(**{"network.weights": options.weights})
            folder = options.work / f"fer2013-{start}"
            train(recipe, data, folder, resume=True)
            figures.update(judged(data, folder))
            print(figures)


if __name__ == "__main__":
    main()
