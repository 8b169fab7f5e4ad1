"""How fast a training step is, and what the exact algebra of segment attention saves. Run by hand, from the root:

    python -m tests.benchmarks.network

The fast and the plain forms take turns, so that what else the machine does falls on both; the least time of each
counts. Memory is what a step adds at its peak to what weights, gradients and Adam hold anyway.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.detectors.fedn.attention import SegmentAttention
from pipeline.detectors.fedn.losses import detection_loss
from pipeline.detectors.fedn.network import Detector
from pipeline.detectors.fedn.targets import Targets
from tests.pipeline.detectors.fedn.plain_attention import PlainSegmentAttention
from tests.pipeline.networks import LOSS, PAPER

WINDOWS, INPUT_WIDTH, CLASSES, ROUNDS = 32, 512, 4, 8


class TorchSegmentAttention(PlainSegmentAttention):
    """The plain form with torch's own attention module, as one would first write it."""

    def __init__(self, fast: SegmentAttention, segment_score: Tensor) -> None:
        super().__init__(fast, segment_score)
        self.torch_attention = nn.MultiheadAttention(INPUT_WIDTH, fast.heads, batch_first=True)

    def attend(self, frames: Tensor, usable: Tensor) -> Tensor:
        flat = frames.flatten(0, 1)
        answers = self.torch_attention(
            flat,
            flat,
            flat,
            key_padding_mask=~usable.flatten(0, 1) & usable.flatten(0, 1).any(1, keepdim=True),
            need_weights=False,
        )[0]
        answers = answers.unflatten(0, frames.shape[:2]) * usable[..., None]
        return answers.sum(2) / usable.sum(2, keepdim=True).clamp(min=1)


FORMS: dict[str, Callable[[SegmentAttention], nn.Module]] = {
    "fast": lambda fast: fast,
    "plain": lambda fast: PlainSegmentAttention(fast, torch.zeros(PAPER.width)),
    "plain, torch's attention": lambda fast: TorchSegmentAttention(fast, torch.zeros(PAPER.width)),
}


def inputs() -> tuple[Tensor, Tensor]:
    return torch.randn(WINDOWS, PAPER.window_frames, INPUT_WIDTH), torch.ones(WINDOWS, PAPER.window_frames).bool()


def segment_pass(form: str) -> Callable[[], None]:
    """Return a forward and backward pass of segment attention alone."""
    part = FORMS[form](SegmentAttention(INPUT_WIDTH, PAPER.width, PAPER.attention_heads, PAPER.segments, "softmax"))
    features, mask = inputs()

    def run() -> None:
        part.zero_grad()
        part(features, mask).sum().backward()

    return run


def training_step(form: str) -> Callable[..., None]:
    """Return a whole step, forward, loss, backward, Adam, of all the windows or of fewer."""
    detector = Detector(PAPER, INPUT_WIDTH, CLASSES)
    detector.segment_attention = FORMS[form](detector.segment_attention)  # type: ignore[arg-type]
    optimiser = torch.optim.Adam(detector.parameters(), lr=1e-4, weight_decay=1e-4, fused=True)
    features, mask = inputs()
    classes = torch.randint(-2, CLASSES, (WINDOWS, len(detector.anchors.center)))
    targets = Targets(classes, torch.tensor([10.0, 40.0]).expand(*classes.shape, 2))

    def run(windows: int = WINDOWS) -> None:
        optimiser.zero_grad()
        outputs = detector(features[:windows], mask[:windows])
        detection_loss(outputs, Targets(*(values[:windows] for values in targets)), LOSS).total.backward()
        optimiser.step()

    return run


def least_seconds(passes: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Return the least time of each, taking turns."""
    best = dict.fromkeys(passes, float("inf"))
    for turn in range(ROUNDS + 1):
        for name, run in passes.items():
            start = time.perf_counter()
            run()
            if turn:  # the first round warms up
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def step_megabytes(form: str) -> float:
    """Return what a step adds at its peak to a process that holds weights, gradients, Adam's means and the inputs."""
    step = training_step(form)
    step(windows=1)
    before = megabytes("VmRSS")
    step()
    return megabytes("VmHWM") - before


def megabytes(field: str) -> float:
    """Return what this process holds (VmRSS) or ever held (VmHWM). Linux; getrusage answers with the parent's peak."""
    found = re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(found.group(1)) / 1024 if found else float("nan")


def report(what: str, measured: dict[str, float], unit: str) -> None:
    """Print each form beside the fast one."""
    for form, value in measured.items():
        print(f"{what:<28} {form:<26} {value:9.3f} {unit}  {value / measured['fast']:5.2f} x the fast one")


def multiply_speed() -> float:
    """Return G operations per second of a large product of matrices: how much of the machine is ours right now."""
    first, second = torch.randn(4096, 512), torch.randn(512, 1536)
    seconds = least_seconds({"product": lambda: first @ second})["product"]
    return 2 * 4096 * 512 * 1536 / seconds / 1e9


def main() -> None:
    """Measure and print."""
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {multiply_speed():.0f} G matrix operations/s")
    report("segment attention, both ways", least_seconds({form: segment_pass(form) for form in FORMS}), "s")
    report("training step, 32 windows", least_seconds({form: training_step(form) for form in FORMS}), "s")
    # Blocks of a step go back to the system when freed, or gaps in the heap would be measured with it.
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        report("memory of a training step", {form: processes.apply(step_megabytes, (form,)) for form in FORMS}, "MB")


if __name__ == "__main__":
    main()
