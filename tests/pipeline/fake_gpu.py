"""A GPU that nobody has: tensors without values on a fake CUDA device, and a watch on what crosses to it and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda", 0)


class Watch(TorchDispatchMode):
    """Takes down the operations that wait for the GPU.

    `reads` bring values from it; `writes` bring values to it, by a copy or because an operand lies on the processor.
    What has a shape that depends on values (`nonzero`, picking by a mask) needs no watch: without values it fails.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []
        self.writes: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = devices(args, kwargs)
        if func.overloadpacket is torch.ops.aten._local_scalar_dense and "cuda" in given:
            self.reads.append(str(func))  # before it is tried: without values it fails
        answer = func(*args, **(kwargs or {}))
        made = devices(answer)
        if func.overloadpacket is torch.ops.aten.copy_:  # what is written to stands first
            given, made = devices(args[1]), devices(args[0])
        if "cuda" in given and "cpu" in made:
            self.reads.append(str(func))
        if "cpu" in given and "cuda" in made:
            self.writes.append(str(func))
        return answer


def devices(*values: Any) -> set[str]:
    """Return the types of device that these tensors lie on."""
    return {each.device.type for each in tree_leaves(values) if isinstance(each, torch.Tensor)}


@contextmanager
def fake_gpu() -> Iterator[Watch]:
    """Compute shapes alone, as if there were a GPU: mixing devices fails, and so does asking for a value.

    Tensors and modules made outside are real ones; `.to(GPU)` inside gives fakes of them.
    """
    with FakeTensorMode(allow_non_fake_inputs=True), Watch() as watch:
        yield watch
