"""The network: a backbone, the papers' head, and one output per task.

Head of Arsirii & Petrosiuk 2021/2023 (prediction block after Global Average Pooling): BatchNormalization ->
ReLU -> Dropout -> Dense; a softmax over emotions, a sigmoid per action unit, or both side by side.  Awei has a
head of its own.  The model is flat and functional, as quantization-aware training requires.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InputError
from .awei import awei_features, awei_head
from .backbones import build_backbone
from .keras import keras


@dataclass(frozen=True)
class NetworkSpec:
    """What :func:`build_network` builds.

    Attributes:
        backbone: a name of :data:`fermobile.models.backbones.BACKBONES`.
        alpha: width multiplier.
        size: input side in pixels.
        emotions, action_units: labels of the two heads; an empty one leaves that head out.
        dropout: rate before the dense layers.
        seed: of the dropout masks.
        frozen_vgg: Awei only: a frozen VGG-16 reads the image too, and its features are added.
    """

    backbone: str
    alpha: float
    size: int
    emotions: tuple[str, ...]
    action_units: tuple[str, ...]
    dropout: float = 0.2
    seed: int = 0
    frozen_vgg: bool = False


#: head -> (its dense layer, its activation)
_HEADS = {"emotion": "softmax", "au": "sigmoid"}


def build_network(spec: NetworkSpec, weights: str | None = None) -> keras.Model:
    """Input float32 (N, size, size, 3); outputs a list of probabilities (N, labels), "emotion" before "au".

    What must never be trained (a fixed input convolution, a frozen VGG) is not trainable; a frozen VGG's weights are
    random until :func:`set_frozen_vgg`.
    """
    backbone = build_backbone(spec.backbone, spec.alpha, spec.size, weights)
    if spec.backbone == "awei":
        vgg = _frozen_vgg(spec, backbone.input) if spec.frozen_vgg else None
        features = awei_features(backbone.output, vgg)
    else:
        features = keras.layers.GlobalAveragePooling2D(name="head_gap")(backbone.output)
    return _with_head(backbone.input, features, spec)


def _frozen_vgg(spec: NetworkSpec, images: keras.KerasTensor) -> keras.KerasTensor:
    vgg = build_backbone("vgg16", 1.0, spec.size, None, images)
    vgg.trainable = False
    return vgg.output


def set_frozen_vgg(model: keras.Model, vgg: keras.Model) -> None:
    """Give the frozen VGG-16 in an Awei network the weights of ``vgg``, a network on that backbone.

    Raises:
        InputError: ``vgg`` is another network.
    """
    names = {layer.name for layer in vgg.layers}
    for layer in model.layers:
        if layer.weights and not layer.trainable and not layer.name.startswith("awei_"):
            if layer.name not in names:
                raise InputError(f"the frozen VGG must be a VGG-16; {vgg.name} has no layer {layer.name!r}")
            layer.set_weights(vgg.get_layer(layer.name).get_weights())


def build_head(channels: int, spec: NetworkSpec) -> keras.Model:
    """The head alone, on pooled features float32 (N, channels): what stage 1 trains on cached features.

    Its layers carry the names they have in :func:`build_network`.
    """
    features = keras.Input((channels,), name="features")
    return _with_head(features, features, spec)


def _with_head(inputs: keras.KerasTensor, features: keras.KerasTensor, spec: NetworkSpec) -> keras.Model:
    # A generator of its own, which the training loop saves: a resumed run draws the masks it would have drawn.
    dropout = keras.layers.Dropout(spec.dropout, seed=spec.seed, rng_type="stateful", name="head_dropout")
    if spec.backbone == "awei":
        x = awei_head(features, dropout)
    else:
        x = keras.layers.BatchNormalization(name="head_bn")(features)
        x = dropout(keras.layers.ReLU(name="head_relu")(x))
    return keras.Model(inputs, outputs(x, len(spec.emotions), len(spec.action_units)), name=spec.backbone)


def outputs(x: keras.KerasTensor, emotions: int, action_units: int) -> list[keras.KerasTensor]:
    """The heads on features (N, channels): one tensor of probabilities (N, labels) per task that has labels."""
    found = []
    for head, units in (("emotion", emotions), ("au", action_units)):
        if units:
            logits = keras.layers.Dense(units, name=f"{head}_logits")(x)
            found.append(keras.layers.Activation(_HEADS[head], name=head)(logits))
    return found


def heads(model: keras.Model) -> tuple[str, ...]:
    """Which heads a network has, in output order; also of a quantized one."""
    names = {layer.name.removeprefix("quant_") for layer in model.layers}
    return tuple(head for head in _HEADS if head in names)


def feature_model(model: keras.Model) -> keras.Model:
    """The same network (shared weights) up to the features its head reads, (N, channels)."""
    own = {"head_gap", "head_features"} & {layer.name for layer in model.layers}
    return keras.Model(model.input, model.get_layer(*own).output)


def copy_weights(source: keras.Model, target: keras.Model) -> int:
    """Copy weights between layers of the same name and shapes; returns how many layers were copied."""
    copied = 0
    for layer in target.layers:
        try:
            weights = source.get_layer(layer.name).get_weights()
        except ValueError:
            continue
        if weights and [w.shape for w in weights] == [w.shape for w in layer.get_weights()]:
            layer.set_weights(weights)
            copied += 1
    return copied
