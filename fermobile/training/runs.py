"""The run folder: what a training run leaves, and how it is opened again.

::

    run.json             recipe, dataset, status, labels that val does not show, and the parent of a quantized run
    contract.json        the model contract
    metrics.jsonl        one line per epoch
    logs/                TensorBoard
    model.weights.h5     the weights that count
    checkpoints/ features/   for resuming; gone when the run is finished
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..contract import CONTRACT_FILE, ModelContract
from ..data.joined import reopen
from ..errors import InputError, ModelFileError, RunError
from ..files import refuse_existing, refuse_sources_inside, sha256, write_json, write_text, writing_folder
from .recipe import Recipe, recipe_from_dict

if TYPE_CHECKING:
    from ..data.manifest import Dataset
    from ..models.keras import keras

RUN_VERSION = 1
RUN_FILE = "run.json"
WEIGHTS_FILE = "model.weights.h5"


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: where it is.
        contract: what its model means.
        recipe: the resolved recipe.
        info: run.json.
    """

    folder: Path
    contract: ModelContract
    recipe: Recipe
    info: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Open a finished run.

        Raises:
            RunError: it is not a run folder, is of another version, or is not finished.
            ContractError: its contract is damaged.
        """
        folder = Path(folder)
        info = read_info(folder)
        if info["status"] != "finished":
            verb = f"quantize {info.get('parent_path', '…')}" if info["quantized"] else "train …"
            raise RunError(f"{folder}: the run is not finished; go on with: fermobile {verb} --out {folder} --resume")
        try:
            contract = ModelContract.from_json((folder / CONTRACT_FILE).read_bytes())
        except OSError as error:
            raise RunError(f"{folder / CONTRACT_FILE}: {error.strerror}") from None
        if not (folder / WEIGHTS_FILE).exists():
            raise RunError(f"{folder}: {WEIGHTS_FILE} is missing")
        try:
            recipe = recipe_from_dict(info["recipe"])
        except InputError as error:
            raise RunError(f"{folder / RUN_FILE} is damaged, or of a newer fermobile: {error}") from None
        return cls(folder, contract, recipe, info)

    @property
    def quantized(self) -> bool:
        """Whether it was fine-tuned quantization-aware."""
        return bool(self.info["quantized"])

    @functools.cached_property
    def weights_sha256(self) -> str:
        """Hash of the weights, which identifies the run."""
        return sha256(self.folder / WEIGHTS_FILE)

    def open_dataset(self, folder: Path | None = None, added: bool = True) -> Dataset:
        """The dataset that it was trained on, with the splits it had; see :func:`fermobile.data.joined.reopen`."""
        return reopen(self.info["dataset"], folder, added)

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl, one per epoch."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def load_model(self) -> keras.Model:
        """The trained Keras model: normalised float32 (N, size, size, 3) in, a list of probabilities per head out.

        Raises:
            ModelFileError: the weights do not fit the recipe.
        """
        from ..models.keras import keras
        from ..models.network import build_network
        from .quantization_aware import quantized_network

        keras.backend.reset_uids()  # names go into an exported file, and are not to count the networks before this one
        model = build_network(network_spec(self.recipe, self.contract))
        if self.quantized:
            model = quantized_network(model, self.contract)
        path = self.folder / WEIGHTS_FILE
        try:
            model.load_weights(str(path))
        except (OSError, ValueError, KeyError) as error:
            raise ModelFileError(f"{path} does not fit its recipe: {str(error).splitlines()[0]}") from None
        return model


def network_spec(recipe: Recipe, contract: ModelContract) -> Any:
    """The network that a recipe asks for, with the contract's labels and size."""
    from ..models.network import NetworkSpec

    network = recipe.network
    return NetworkSpec(
        network.backbone, network.alpha, contract.input.size, contract.emotions, contract.action_units,
        network.dropout, recipe.seed, network.frozen_vgg != "none",
    )  # fmt: skip


def read_info(folder: Path) -> dict[str, Any]:
    """run.json of a run, finished or not.

    Raises:
        RunError: it is missing, damaged, or of another version.
    """
    path = folder / RUN_FILE
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        version = info["run_version"]
    except OSError:
        raise RunError(f"{folder} is not a run folder (no run.json); make one with 'fermobile train'") from None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {error!r}") from None
    if version != RUN_VERSION:
        raise RunError(f"{path}: run version {version}; this fermobile reads {RUN_VERSION}: train again")
    kinds: dict[str, type] = {"status": str, "quantized": bool, "recipe": dict, "dataset": dict}
    dataset = info.get("dataset")
    bad = [key for key, kind in kinds.items() if not isinstance(info.get(key), kind)]
    if isinstance(dataset, dict):
        bad += [f"dataset.{key}" for key in ("name", "sha256", "path") if not isinstance(dataset.get(key), str)]
        added = dataset.get("added", [])
        if not isinstance(added, list) or not all(
            isinstance(part, dict) and part.keys() >= {"path", "sha256"} for part in added
        ):
            bad.append("dataset.added")
    if bad:
        raise RunError(f"{path} is damaged: it lacks {', '.join(bad)}, or holds something else there")
    return dict(info)


def claim_folder(
    folder: Path,
    resume: bool,
    force: bool,
    recipe: Recipe,
    dataset: Mapping[str, Any],
    sources: Sequence[Path],
    parent: str | None = None,
) -> Literal["new", "training", "finished"]:
    """Whether a run may be written to ``folder``, and how far the one to resume there is; changes nothing.

    Args:
        dataset: what the run is trained on, see :attr:`fermobile.data.manifest.Dataset.origin`.
        sources: runs and files that the run starts from, which must not lie in ``folder``.
        parent: hash of the weights of the run that a quantized run starts from; None for a float run.
    Raises:
        OutputExistsError: the folder is taken and neither ``resume`` nor ``force`` is given.
        RunError: ``resume`` finds a run that was started otherwise.
        InputError: ``force`` would delete one of ``sources``, or what is not a run.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return "new"
    refuse_sources_inside(folder, sources)
    if not resume:
        refuse_existing(folder, force, RUN_FILE)
        return "new"
    info = read_info(folder)
    if info["quantized"] != (parent is not None):
        verb = "quantize" if info["quantized"] else "train"
        raise RunError(f"{folder} was started by 'fermobile {verb}'; resume it with that")
    if info.get("parent") != parent:
        raise RunError(f"{folder} was started from another run than {sources[0]}: {info.get('parent_path', 'unknown')}")
    if info["recipe"] != json.loads(json.dumps(recipe.to_dict())):
        raise RunError(f"{folder} was started with another recipe; resume with the same options, or use --force")
    if any(info["dataset"].get(key) != dataset.get(key) for key in ("sha256", "fold", "fold_sha256")):
        fold = f", fold {info['dataset']['fold']}" if "fold" in info["dataset"] else ""
        raise RunError(f"{folder} was started with another dataset or fold ({info['dataset']['name']}{fold})")
    return "finished" if info["status"] == "finished" else "training"


def start_run(folder: Path, contract: ModelContract, recipe: Recipe, force: bool = False, **info: Any) -> None:
    """Write run.json (status "training") and the contract to a new folder, which takes the place of an old run."""
    values = {"run_version": RUN_VERSION, "status": "training", "quantized": False, "recipe": recipe.to_dict(), **info}
    with writing_folder(folder, RUN_FILE, force) as new:
        write_text(new / CONTRACT_FILE, contract.to_json())
        write_json(new / RUN_FILE, values)


def finish_run(folder: Path, contract: ModelContract, model: keras.Model) -> Run:
    """Write weights and contract, mark the run finished, and open it."""
    temporary = folder / "new.weights.h5"
    model.save_weights(str(temporary))
    temporary.replace(folder / WEIGHTS_FILE)
    write_text(folder / CONTRACT_FILE, contract.to_json())
    write_json(folder / RUN_FILE, {**read_info(folder), "status": "finished"})
    for leftover in ("checkpoints", "features"):
        shutil.rmtree(folder / leftover, ignore_errors=True)
    return Run.open(folder)


def versions() -> dict[str, str]:
    """Versions of the packages that decide a training's numbers."""
    names = ("fermobile", "tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy", "opencv-python")
    return {name: importlib.metadata.version(name) for name in names}
