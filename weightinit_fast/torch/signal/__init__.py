"""Look before you train: one forward and one backward pass, and what they say about the weights.

rows.py       Row: what passed through one layer, as numbers
restored.py   everything that a pass may change, put back afterwards
probe.py      Probe: the hooks that measure
symmetry.py   units with equal weights and equal gradients
verdict.py    what the numbers say, in plain sentences
pictures.py   the std by layer, as SVG
report.py     SignalReport: all rows and findings, which prints as a table and makes the page
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from ..._resolve.keys import Key, RNGLike, key
from ..._resolve.messages import shown
from ...initialisers.plain import normal
from .probe import Probe, tensors_of
from .report import SignalReport
from .restored import restored
from .rows import Row
from .symmetry import symmetric_units
from .verdict import Finding, findings_of

__all__ = ["Finding", "Row", "SignalReport", "signal"]

#: The entries of an output with names of which the first one that is there is taken alone.
_RESULTS = ("loss", "logits", "last_hidden_state")


def signal(
    module: nn.Module,
    sample: Any,
    *,
    loss: Callable[[Any], torch.Tensor] | None = None,
    train: bool | None = True,
    rng: RNGLike = 0,
) -> SignalReport:
    """Run a module forwards and backwards once, and say what its initial weights do to a signal.

    Afterwards everything is as it was: training flags, gradients, which parameters take gradients,
    buffers (such as the statistics of batch norms), hooks, and the generators of torch, NumPy and
    Python.

    Parameters
    ----------
    module : torch.nn.Module
        The module, on any device. It may be in any mode, and its parameters may be frozen.
    sample : tensor, tuple or dict
        What the module is called with: one tensor, a tuple of arguments, or a dict of keyword
        arguments. Real data are best, standardised as in training: 32 examples or more. A tensor
        may hold the ids of tokens. The sample is not changed.
    loss : callable, optional
        Takes the output of the module and returns the loss, a tensor of one element. Without it,
        the gradient that enters at the output is drawn from N(0, 1) by this package, and so has the
        same values everywhere. Of an output with names only ``loss``, ``logits`` or
        ``last_hidden_state`` is taken, the first that is there. A loss of one element gets 1.
    train : bool or None, default True
        The mode of the pass. True is that of the first step of training, in which batch norms take
        the statistics of the sample. None leaves each module in its mode. Dropout draws from
        torch's generator, which begins at a fixed seed here, so that two calls find the same.
    rng : optional
        The key of the gradient that enters at the output, as in `weightinit_fast.normal`.

    Returns
    -------
    SignalReport
        ``print`` shows a table of the layers and the verdict. ``rows`` has the numbers,
        ``findings`` what looks wrong and the notes, ``verdict`` what looks wrong in sentences, and
        ``write_html("signal.html")`` writes a page with a picture.

    Raises
    ------
    ValueError
        If parameters have no values yet (meta tensors, lazy modules), or are shards of tensors.

    Notes
    -----
    A row is an output of a module, of the sample, or of the functions relu and relu6. A container
    that returns what its last module returned has no row of its own, and a residual block has one,
    because the sum is a new tensor. Gradients are those with respect to the activations: they enter
    at the output, and the row of a layer has what arrives at its output.

    Layers are compared within a series: layers of one class whose names differ in numbers alone.
    (If a class has no three such layers, all its layers with weights are one series, except where a
    block with several of them repeats.) Only ratios count, so that no limit depends on the scale of
    the sample or of the loss. The limits come from the depth study (docs/depth-study.md):

    - A signal vanishes if it falls by a factor of 1000 or more between two layers of a series. Of
      the study's networks, those that stay below 170 train, and those beyond 1300 do not.
    - Activations explode from 100 on: with σ = 1, networks with a factor of 6 train, and those with
      180 do not. Gradients explode from 1000 on, because batch norms let them rise in models that
      train well: by 130 in a ResNet-50. What lies between 100 and 1000 is a note.
    - Without the greatest single step a factor of 10 has to remain, because many models scale one
      layer down on purpose.

    Chance passes a factor of 46 once in a million for He's rule in 30 layers of 64 ReLU units, and
    wider layers vary less.

    A ReLU unit is dead if it is 0 for the whole sample. Any draw that is symmetric about 0 makes as
    many units that are always 0 as units that never are, however many that be. (They are many in
    deep networks, where all examples become alike.) So a layer is reported where coins would make
    so many dead units with a probability below 10⁻⁴, for all layers together, or if no unit is
    alive.

    Units are symmetric if their weights and biases are equal and their gradients are so within 1 %,
    which allows for the rounding of bfloat16. Equal units whose gradient is 0 are reported only if
    no weight of the module has any gradient. In other modules, such as the blocks of diffusion
    transformers, they wait for another layer of zeros, which learns first.

    Examples
    --------
    >>> import torch
    >>> import weightinit_fast as wi
    >>> import weightinit_fast.torch
    >>> layers = [m for _ in range(30) for m in (torch.nn.Linear(64, 64), torch.nn.ReLU())]
    >>> net = torch.nn.Sequential(*layers)
    >>> recipe = {"*.bias": "zeros", "*.weight": "xavier_normal"}
    >>> report = wi.torch.initialize(net, recipe, rng=0)
    >>> sample = torch.from_numpy(wi.normal((128, 64), rng=0, stream="sample"))
    >>> for sentence in wi.torch.signal(net, sample).verdict:
    ...     print(sentence.partition(":")[0])
    Activations vanish by a factor of 1.44 a layer after 0 (Linear)
    Gradients vanish by a factor of 1.43 a layer before 58 (Linear)
    >>> report = wi.torch.initialize(net, recipe | {"*.weight": "he_normal"}, rng=0)
    >>> wi.torch.signal(net, sample).verdict
    ['Nothing looks wrong.']
    """
    module = _unwrapped(module)
    _refuse(module)
    if loss is not None and not callable(loss):
        raise TypeError(
            f"loss must take the output and return a tensor of one element, not {shown(loss)}"
        )
    seed: Key = key(rng)
    named = dict(module.named_modules())
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.compiler.set_stance("force_eager"),
        restored(module, train),
    ):
        args, kwargs, leaves = _arguments(sample)
        probe = Probe(module)
        try:
            with probe:
                for name, tensor in leaves.items():
                    probe.see_input(tensor, name)
                output = module(*args, **kwargs)
            gradients = _backward(module, output, loss, list(leaves.values()), seed)
        finally:
            probe.remove()
        weights = [p for p in module.parameters() if p.ndim > 1 and p.is_floating_point()]
        learning = sum(id(p) in gradients and bool(gradients[id(p)].any()) for p in weights)
        symmetric = symmetric_units(
            {name or type(module).__name__: part for name, part in named.items()}, gradients
        )
        not_run = [
            name
            for name, part in named.items()
            if part not in probe.ran
            and any(p is not None for p in part._parameters.values())
            and not any(id(p) in gradients for p in part._parameters.values())
        ]
        findings = findings_of(probe.rows, symmetric, len(weights), learning, not_run)
    return SignalReport(type(module).__name__, tuple(probe.rows), findings)


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return the module within wrappers that do more than pass the call on."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"signal looks at a torch.nn.Module, not at {type(module).__name__}")
    while True:
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):  # torch.compile
            module = inner
        else:
            return module


def _refuse(module: nn.Module) -> None:
    """Refuse parameters that a pass cannot read."""
    for name, parameter in module.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise ValueError(
                f"{name} has no shape yet: run the module once before signal looks at it"
            )
        if parameter.is_meta:
            raise ValueError(
                f"{name} is a meta tensor: materialize the module before signal runs it"
            )
        if hasattr(parameter, "placements"):
            raise ValueError(
                f"{name} is a DTensor: signal runs one process, so pass it the module before it is "
                "cut into shards, or a smaller one of the same recipe"
            )
    for name, buffer in module.named_buffers():
        if buffer.is_meta:
            raise ValueError(
                f"the buffer {name} is a meta tensor: materialize the module before signal runs it"
            )


def _arguments(
    sample: Any,
) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, torch.Tensor]]:
    """Return positional and keyword arguments, and the tensors among them that take gradients.

    The module gets copies, since its first layer may work in place.
    """
    leaves: dict[str, torch.Tensor] = {}

    def copied(value: Any, name: str) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        copy = value.detach().clone()
        if next(tensors_of(value), None) is None:
            return copy
        leaves[name] = copy.requires_grad_()
        # An in-place step on a leaf that takes gradients is refused by torch.
        return copy.clone()

    named = isinstance(sample, Mapping)
    values = sample.values() if named else sample if isinstance(sample, tuple) else [sample]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    if tensors and not any(value.numel() for value in tensors):
        raise ValueError("the sample has no element: take a batch of 32 examples or more")
    if named:
        return (), {str(name): copied(value, str(name)) for name, value in sample.items()}, leaves
    if isinstance(sample, tuple):
        return tuple(copied(v, f"input[{n}]") for n, v in enumerate(sample)), {}, leaves
    return (copied(sample, "input"),), {}, leaves


def _loss_of(loss: Callable[[Any], torch.Tensor], output: Any) -> torch.Tensor:
    """Return the loss of an output, which must be a tensor of one element."""
    found = loss(output)
    if not isinstance(found, torch.Tensor):
        raise TypeError(f"loss must return a tensor of one element, not {type(found).__name__}")
    if found.numel() != 1:
        raise ValueError(
            f"loss must return a tensor of one element, not one of shape {tuple(found.shape)}: "
            "take its mean(), or leave loss= out"
        )
    return found


def _backward(
    module: nn.Module,
    output: Any,
    loss: Callable[[Any], torch.Tensor] | None,
    leaves: Iterable[torch.Tensor],
    seed: Key,
) -> dict[int, torch.Tensor]:
    """Run the pass backwards; return the gradients of the parameters that get one, by their id."""
    ends: list[torch.Tensor] = [_loss_of(loss, output)] if loss is not None else list(_ends(output))
    ends = [end for end in ends if end.requires_grad]
    if not ends:
        return {}
    tops = [_top(end, seed, number) for number, end in enumerate(ends)]
    parameters = [p for p in module.parameters() if p.requires_grad]
    slopes = torch.autograd.grad(ends, [*parameters, *leaves], tops, allow_unused=True)
    pairs = zip(parameters, slopes, strict=False)
    return {id(p): slope for p, slope in pairs if slope is not None}


def _ends(output: Any) -> Iterable[torch.Tensor]:
    """Return the tensors of an output at which the gradient enters."""
    if isinstance(output, Mapping):
        for name in _RESULTS:
            if isinstance(output.get(name), torch.Tensor):
                return [output[name]]
    return tensors_of(output)


def _top(end: torch.Tensor, seed: Key, number: int) -> torch.Tensor:
    """Return the gradient that enters at a tensor."""
    if end.numel() == 1:
        return torch.ones_like(end)
    shape = (*end.shape, 2) if end.is_complex() else tuple(end.shape)
    drawn = torch.from_numpy(normal(shape, rng=seed, stream=f"gradient {number}"))
    top = torch.view_as_complex(drawn) if end.is_complex() else drawn
    return top.to(device=end.device, dtype=end.dtype)
