"""Recipes: a short TOML file that says all of a training run.

Shipped recipes lie in ``fermobile/training/recipes``; their first lines name the paper, the expected result
and the time it takes.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data.augment import Augment
from ..errors import InputError
from ..labels import ACTION_UNITS

_FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class NetworkRecipe:
    """backbone, width and input size; ``weights`` is "imagenet", "faces", "none", a weights file or a run folder.

    ``frozen_vgg``: weights of the VGG-16 whose features Awei adds, said like ``weights``; "none" leaves it out.
    """

    backbone: str = "mobilenet_v1"
    alpha: float = 1.0
    size: int = 96
    weights: str = "imagenet"
    dropout: float = 0.2
    frozen_vgg: str = "none"


@dataclass(frozen=True)
class HeadRecipe:
    """Stage 1, the frozen backbone: ``views`` stored augmented views per image (besides the image itself)."""

    epochs: int = 20
    learning_rate: float = 1e-3
    batch: int = 256
    views: int = 1


@dataclass(frozen=True)
class TuneRecipe:
    """Stage 2, fine-tuning: ``unfreeze`` is "all" or the name of the first layer that trains."""

    epochs: int = 8
    learning_rate: float = 1e-3
    batch: int = 64
    unfreeze: str = "all"
    warmup_epochs: float = 0.5


@dataclass(frozen=True)
class LabelRecipe:
    """Targets of the losses.

    ``soft``: annotators' vote distributions where the set has them; ``smoothing``: label smoothing in 0..1;
    ``balance``: samples weigh ``(1 / class frequency) ** balance`` (0 none, 1 fully balanced); ``au_balance``:
    the same for positives of each action unit.
    """

    soft: bool = True
    smoothing: float = 0.0
    balance: float = 0.0
    au_balance: float = 0.0


@dataclass(frozen=True)
class LossRecipe:
    """``au``: loss of the action units, a name of :data:`fermobile.training.au_losses.AU_LOSSES`; ``pooled`` counts
    over all units together where the loss counts (precision_recall)."""

    au: str = "bce"
    pooled: bool = False


@dataclass(frozen=True)
class SelfCureRecipe:
    """Self-Cure Network (Wang et al. 2020) in stage 2, on the emotion head.

    ``high_share``: β, the share of a batch that counts as important; ``rank_margin``: δ1, how much more important it
    has to be (0.15 for batches of 1,024, 0.07 for 64); ``relabel_margin``: δ2; ``relabel_from``: the first epoch that
    relabels; ``relabel_group``: "low" relabels the unimportant part only (the paper), "all" every face (its code).
    """

    enabled: bool = False
    high_share: float = 0.7
    rank_margin: float = 0.07
    relabel_margin: float = 0.2
    relabel_from: int = 10
    relabel_group: str = "low"


@dataclass(frozen=True)
class ConsistencyRecipe:
    """Erasing attention consistency (Zhang et al. 2022) in stage 2: ``weight`` is λ, 5 in the paper; 0 for none."""

    weight: float = 0.0


@dataclass(frozen=True)
class DistillRecipe:
    """Soft labels of ``teachers`` (run folders): they weigh ``weight``, the labels the rest (Hinton et al. 2015)."""

    teachers: tuple[str, ...] = ()
    temperature: float = 2.0
    weight: float = 0.5


@dataclass(frozen=True)
class QuantizeRecipe:
    """Quantization-aware fine-tuning."""

    epochs: int = 1
    learning_rate: float = 1e-4
    batch: int = 64


@dataclass(frozen=True)
class Recipe:
    """A whole training run.

    Attributes:
        name: of the recipe.
        tasks: "emotion", "au" or both.
        action_units: those of the head, in its order; all that the dataset labels where none is named.
        ema: decay of the weights' exponential moving average; 0 switches it off.
        patience: epochs without a better validation score after which a stage stops.
        seed: of everything random.
    """

    name: str
    tasks: tuple[str, ...] = ("emotion",)
    action_units: tuple[str, ...] = ()
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    head: HeadRecipe = field(default_factory=HeadRecipe)
    tune: TuneRecipe = field(default_factory=TuneRecipe)
    labels: LabelRecipe = field(default_factory=LabelRecipe)
    augment: Augment = field(default_factory=Augment)
    loss: LossRecipe = field(default_factory=LossRecipe)
    self_cure: SelfCureRecipe = field(default_factory=SelfCureRecipe)
    consistency: ConsistencyRecipe = field(default_factory=ConsistencyRecipe)
    distill: DistillRecipe = field(default_factory=DistillRecipe)
    quantize: QuantizeRecipe = field(default_factory=QuantizeRecipe)
    ema: float = 0.999
    patience: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as run.json and the contract's provenance keep them."""
        return dataclasses.asdict(self)

    def override(self, **changes: Any) -> Recipe:
        """Change fields by dotted path, for example ``{"tune.epochs": 3}``; None leaves a field as it is."""
        values = self.to_dict()
        for path, value in changes.items():
            if value is None:
                continue
            *sections, last = path.split(".")
            at = values
            for section in sections:
                at = at[section]
            at[last] = value
        return recipe_from_dict(values)


def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes in the package."""
    return tuple(sorted(p.stem for p in _FOLDER.glob("*.toml")))


def load_recipe(name_or_path: str) -> Recipe:
    """A shipped recipe by name, or a TOML file.

    Raises:
        InputError: there is none, or the file has unknown or ill-typed entries.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = _FOLDER / f"{name_or_path}.toml"
        if name_or_path not in shipped_recipes():
            raise InputError(
                f"unknown recipe {name_or_path!r}; shipped: {', '.join(shipped_recipes())}; or pass a .toml file"
            )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from None
    values.setdefault("name", path.stem)
    try:
        return recipe_from_dict(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values; unknown keys and wrong types are errors that name the valid ones."""
    recipe: Recipe = _build(Recipe, values, "")
    return recipe


def _build(kind: type, values: dict[str, Any], where: str) -> Any:
    hints = typing.get_type_hints(kind)
    unknown = [k for k in values if k not in hints]
    if unknown:
        raise InputError(f"unknown entry {where}{unknown[0]}; known: {', '.join(where + h for h in hints)}")
    arguments = {}
    for key, value in values.items():
        hint = hints[key]
        if dataclasses.is_dataclass(hint):
            if not isinstance(value, dict):
                raise InputError(f"{where}{key} must be a table")
            arguments[key] = _build(typing.cast(type, hint), value, f"{where}{key}.")
        else:
            arguments[key] = _convert(value, hint, where + key)
    return kind(**arguments)


def _convert(value: Any, hint: Any, where: str) -> Any:
    if isinstance(hint, types.GenericAlias):
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} must be a list")
        (kind, *_) = typing.get_args(hint)
        return tuple(_convert(item, kind, f"{where}[{i}]") for i, item in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise InputError(f"{where} must be {hint.__name__}, not {value!r}")
    return value


def _check(r: Recipe) -> None:
    def need(ok: bool, why: str) -> None:
        if not ok:
            raise InputError(f"recipe {r.name!r}: {why}")

    need(bool(r.tasks) and set(r.tasks) <= {"emotion", "au"}, f"tasks {r.tasks} must be 'emotion', 'au' or both")
    unknown = [unit for unit in r.action_units if unit not in ACTION_UNITS]
    need(not unknown, f"unknown action unit {', '.join(unknown)}; known: {', '.join(ACTION_UNITS)}")
    need(len(set(r.action_units)) == len(r.action_units), "an action unit is named twice")
    need(not r.action_units or "au" in r.tasks, "action_units are named, but 'au' is not among the tasks")
    need(32 <= r.network.size <= 512 and r.network.size % 32 == 0, f"network.size {r.network.size}: a multiple of 32")
    awei = r.network.backbone == "awei"
    need(awei or r.network.frozen_vgg == "none", f"network.frozen_vgg is Awei's; {r.network.backbone} has none")
    need(not (awei and r.consistency.weight), "consistency.weight: Awei has no class activation maps")
    need(r.head.epochs >= 0 and r.tune.epochs >= 0, "epochs cannot be negative")
    need(r.head.views >= 0, "head.views cannot be negative")
    need(r.quantize.epochs >= 1, "quantize.epochs must be at least 1")
    for section in ("head", "tune", "quantize"):
        rate = getattr(r, section).learning_rate
        need(math.isfinite(rate) and rate > 0, f"{section}.learning_rate {rate} is not a positive number")
    need(math.isfinite(r.tune.warmup_epochs) and r.tune.warmup_epochs >= 0, "tune.warmup_epochs cannot be negative")
    need(0 <= r.seed < 2**32, f"seed {r.seed} is not in 0..{2**32 - 1}")
    need(r.head.epochs + r.tune.epochs > 0, "head.epochs and tune.epochs are both 0: nothing to train")
    need(min(r.head.batch, r.tune.batch, r.quantize.batch) >= 1, "a batch holds at least one image")
    need(0 <= r.ema < 1, "ema is not in 0..1")
    need(0 <= r.labels.smoothing < 1, "labels.smoothing is not in 0..1")
    need(0 <= r.labels.balance <= 1 and 0 <= r.labels.au_balance <= 1, "labels.balance is not in 0..1")
    need(0 <= r.network.dropout < 1, "network.dropout is not in 0..1")
    need(r.patience >= 1, "patience must be at least 1")
    for name, largest in dataclasses.asdict(r.augment).items():
        need(math.isfinite(largest) and largest >= 0, f"augment.{name} {largest} is not a positive number or 0")
    need(r.augment.zoom < 1, f"augment.zoom {r.augment.zoom} is not below 1")
    need(r.augment.erase == 0 or 0.02 <= r.augment.erase <= 1, f"augment.erase {r.augment.erase}: 0, or 0.02 to 1")
    cure, emotions = r.self_cure, "emotion" in r.tasks
    need(emotions or not (cure.enabled or r.consistency.weight), "self_cure and consistency need the task 'emotion'")
    need(emotions or not (r.labels.smoothing or r.labels.balance), "labels.smoothing and balance are of emotions")
    need(not r.labels.au_balance or "au" in r.tasks, "labels.au_balance is set, but 'au' is not among the tasks")
    need(0 < cure.high_share < 1, "self_cure.high_share is not between 0 and 1")
    margins = (cure.rank_margin, cure.relabel_margin)
    need(all(0 <= margin <= 1 for margin in margins), "a margin of self_cure is not in 0..1")
    hard = not (r.labels.soft or r.labels.smoothing or r.labels.balance)
    need(
        hard or not cure.enabled,
        "self_cure gives faces one class: it needs labels.soft = false, smoothing 0, balance 0",
    )
    need(r.tune.epochs > 0 or not (cure.enabled or r.consistency.weight), "self_cure and consistency work in stage 2")
    need(r.loss.au == "bce" or "au" in r.tasks, "loss.au is named, but 'au' is not among the tasks")
    need(len(set(r.tasks)) == len(r.tasks), "a task is named twice")
    need(cure.relabel_from >= 1, "self_cure.relabel_from: epochs count from 1")
    need(cure.relabel_group in ("low", "all"), f"self_cure.relabel_group {cure.relabel_group!r}: 'low' or 'all'")
    need(r.consistency.weight >= 0 and math.isfinite(r.consistency.weight), "consistency.weight cannot be negative")
    need(0 <= r.distill.weight <= 1, "distill.weight is not in 0..1")
    need(0.1 <= r.distill.temperature <= 100, f"distill.temperature {r.distill.temperature} is not in 0.1..100")
