"""Exact float32 on a GPU: no TensorFloat-32 in convolutions (cuDNN) or matrix products (cuBLAS)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_float32() -> Iterator[None]:
    """Multiply float32 as float32 within this context, and put the process's settings back afterwards.

    PyTorch allows TF32 (10 bits of mantissa, as many as float16 has) in cuDNN's convolutions unless told otherwise, and
    in cuBLAS' matrix products where the process or its environment says so; encoder, training and detection all run in
    here, so that a GPU answers what a CPU answers, up to the order of sums. cuDNN itself stays on. Without a GPU this
    does nothing.
    """
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    # Set one by one: `torch.backends.cudnn.flags` resets all it is not given, and would switch cuDNN off.
    convolutions.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before
