"""ResNet-18, 34, 50, 101 and 152, in torchvision's names."""

from __future__ import annotations

from functools import partial

from .family import Family, Rule, Table

__all__ = ["RESNETS"]

#: Depth -> the number of blocks of each of the four stages, and whether a block is a bottleneck of
#: three convolutions, the last of which has four times the channels. A plain block has two.
STAGES = {
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}


def _conv(
    name: str, norm: str, channels_in: int, channels_out: int, kernel: int
) -> dict[str, tuple[int, ...]]:
    """Return a convolution, which has no bias, and the batch norm after it."""
    return {
        f"{name}.weight": (channels_out, channels_in, kernel, kernel),
        f"{norm}.weight": (channels_out,),
        f"{norm}.bias": (channels_out,),
    }


def table(depth: int, /, *, classes: int = 1000, channels: int = 3) -> Table:
    """Return the parameters of a ResNet, without the running statistics of its batch norms."""
    stages, bottleneck = STAGES[depth]
    shapes = _conv("conv1", "bn1", channels, 64, 7)
    features = 64
    kernels: tuple[tuple[int, int, int], ...]
    for stage, blocks in enumerate(stages, start=1):
        width = 64 << (stage - 1)
        for number in range(blocks):
            block, before = f"layer{stage}.{number}", features
            if bottleneck:
                features = 4 * width
                kernels = ((before, width, 1), (width, width, 3), (width, features, 1))
            else:
                features = width
                kernels = ((before, width, 3), (width, width, 3))
            for i, kernel in enumerate(kernels, start=1):
                shapes |= _conv(f"{block}.conv{i}", f"{block}.bn{i}", *kernel)
            # The first block of a stage adds its input through a convolution where the shapes of
            # the two differ. They do not in the first stage of plain blocks.
            if number == 0 and before != features:
                shortcut = f"{block}.downsample"
                shapes |= _conv(f"{shortcut}.0", f"{shortcut}.1", before, features, 1)
    shapes |= {"fc.weight": (classes, features), "fc.bias": (classes,)}
    return Table(shapes, let={"features": features})


def _family(depth: int) -> Family:
    return Family(
        title=f"ResNet-{depth}",
        published=f"ResNet-{depth}",
        source=(
            "He et al., Deep Residual Learning for Image Recognition (2015, arXiv:1512.03385), "
            "table 1; torchvision, ResNet.__init__ (kaiming_normal_ with fan_out). torchvision "
            "leaves fc to the default of torch.nn.Linear: kaiming_uniform_(a=sqrt(5)) for the "
            "weight and the same bound, 1/sqrt(fan_in), for the bias"
        ),
        rules=(
            Rule("fc.weight", "he_uniform(a=sqrt(5))", "fc"),
            Rule("fc.bias", "uniform(low=-1 / sqrt(features), high=1 / sqrt(features))", "fc"),
            Rule("*bn?.weight", "ones", "norms"),
            Rule("*downsample.1.weight", "ones", "norms"),
            Rule("*.bias", "zeros", "norms"),
            Rule("*.weight", "he_normal(mode='fan_out')", "convolutions"),
        ),
        table=partial(table, depth),
    )


RESNETS = {f"resnet{depth}": _family(depth) for depth in STAGES}
