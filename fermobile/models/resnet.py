"""ResNet-18 (He et al. 2016, table 1), which Keras Applications lacks."""

from __future__ import annotations

from .keras import keras

#: channels and residual blocks of the four groups
_GROUPS = ((64, 2), (128, 2), (256, 2), (512, 2))


def resnet18(x: keras.KerasTensor) -> keras.KerasTensor:
    """The last feature map, (N, size/32, size/32, 512), of normalised images (N, size, size, 3).

    Padding, epsilon and the place of the strides are torchvision's, whose names the layers carry ("layer1.0.conv1"
    is ``layer1_0_conv1``).  Small faces are enlarged rather than given another stem: the one with stride 1 for 32 px
    costs sixteen times as much at 64 px, and its weights fit no published network.
    """
    x = _conv_bn(x, 64, 7, 2, "conv1", "bn1")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)  # behind a ReLU, a zero is never above the maximum
    x = keras.layers.MaxPooling2D(3, 2, name="pool1")(x)
    for group, (channels, blocks) in enumerate(_GROUPS, start=1):
        for block in range(blocks):
            stride = 2 if group > 1 and block == 0 else 1
            x = _basic_block(x, channels, stride, f"layer{group}_{block}")
    return x


def _basic_block(x: keras.KerasTensor, channels: int, stride: int, name: str) -> keras.KerasTensor:
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the shape changes."""
    y = _conv_bn(x, channels, 3, stride, f"{name}_conv1", f"{name}_bn1")
    y = keras.layers.ReLU(name=f"{name}_relu1")(y)
    y = _conv_bn(y, channels, 3, 1, f"{name}_conv2", f"{name}_bn2")
    if stride > 1:
        x = _conv_bn(x, channels, 1, stride, f"{name}_downsample_0", f"{name}_downsample_1")
    x = keras.layers.Add(name=f"{name}_add")([y, x])
    return keras.layers.ReLU(name=f"{name}_relu2")(x)


def _conv_bn(
    x: keras.KerasTensor, channels: int, kernel: int, stride: int, name: str, bn_name: str
) -> keras.KerasTensor:
    padding = "same"
    if kernel > 1 and stride > 1:  # Keras's "same" would pad an even side on the right only
        x, padding = keras.layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"
    conv = keras.layers.Conv2D(
        channels, kernel, stride, padding, use_bias=False, kernel_initializer="he_normal", name=name
    )
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=bn_name)(conv(x))
