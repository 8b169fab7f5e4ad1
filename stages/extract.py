"""The stage `extract`: aligned frames, once through a frozen encoder -> one shard of features per video."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer

from cache import features, frames, manifest, upkeep, weights
from cache.frames import Frames
from cache.prefetch import ahead
from cache.weights import EncoderCard
from pipeline import encoder
from pipeline.encoder import Encoder, ExtractParameters
from stages import command, console, corpora, devices, options, params, shard_folders

LAYER = "avgpool"
STORAGE = "float16"
# Raised when the same frames and weights would give other features on purpose, so shards are made again.
EXTRACT_VERSION = 1
BATCHES_AHEAD = 2
RANDOM = "random"
