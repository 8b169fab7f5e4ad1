"""An invented corpus of features: an emotion moves a face along its own direction, and every person has another."""

from __future__ import annotations

import numpy as np

from pipeline.detectors.decoding import DetectParameters
from pipeline.detectors.fedn.fedn import FednParameters
from pipeline.detectors.fedn.losses import LossParameters
from pipeline.detectors.fedn.network import DetectorParameters
from pipeline.detectors.fedn.targets import MatchParameters
from pipeline.training.fold import FoldParameters, TrainParameters
from pipeline.windows.augmentation import AugmentParameters
from pipeline.windows.recordings import Recording

CLASS_COUNT = 6
RANGES = ((0.0, 10.0), (8.0, 32.0), (16.0, 64.0), (64.0, 128.0))


def record(
    seed: int, subjects: int = 8, videos: int = 2, frame_count: int = 900, width: int = 64, expressions: int = 5
) -> list[Recording]:
    """Return `videos` of each subject, whose expressions of 15 to 75 frames rise, hold and fall.

    Emotions look alike whatever the seed, but every subject shows them more or less strongly; faces drift slowly.
    """
    directions = np.random.default_rng(0).normal(size=(CLASS_COUNT, width)) * (4 / width**0.5)
    random = np.random.default_rng(seed)
    recordings = []
    for subject in range(subjects):
        face = np.abs(random.normal(1, 1, width))
        gains = random.uniform(0.6, 1.4, CLASS_COUNT)
        for video in range(videos):
            slot = frame_count // expressions
            lengths = random.integers(15, min(75, slot - 5), expressions)
            starts = np.arange(expressions) * slot + random.integers(0, slot - lengths)
            emotions = random.integers(0, CLASS_COUNT, expressions)
            slow = np.cumsum(random.normal(0, 0.02, (frame_count, 4)), axis=0) @ random.normal(0, 0.3, (4, width))
            features = face + slow + random.normal(0, 0.3, (frame_count, width))
            for start, length, emotion in zip(starts, lengths, emotions, strict=True):
                ramp = np.minimum(1, np.minimum(np.arange(length) + 1, length - np.arange(length)) / (length / 4))
                features[start : start + length] += ramp[:, None] * gains[emotion] * directions[emotion]
            recordings.append(
                Recording(
                    f"s{subject}_{video}",
                    f"s{subject}",
                    features.astype(np.float16),
                    random.random(frame_count) > 0.01,
                    np.stack([starts, starts + lengths], axis=1).astype(np.int64),
                    emotions.astype(np.int64),
                )
            )
    return recordings


def fold_parameters(width: int = 32, **train: object) -> FoldParameters:
    """Return a small detector's parameters; `train` changes some of TrainParameters."""
    settings = {
        "seed": 1,
        "epochs": 8,
        "batch_size": 16,
        "learning_rate": 4e-3,
        "weight_decay": 1e-4,
        "warm_up_epochs": 1,
        "schedule": "cosine",
        "gradient_clip_norm": 0.0,
        "ema_decay": 0.0,
        "window_stride": 32,
        "background_per_positive": 0.5,
        "normalisation": "video",
    }
    own = FednParameters(
        detector=DetectorParameters(
            segment_attention="attention",
            segment_scores="softmax",
            window_attention="attention",
            head="decoupled",
            classification="joint",
            window_frames=128,
            window_rates=(1,),
            segment_frames=8,
            segment_stride=2,
            width=width,
            attention_heads=4,
            window_attention_width=width,
            kernel=3,
            block_widths=(width, width),
            neck_widths=(width,) * 4,
            head_width=width,
            head_layers=2,
            anchor_ratios=(0.5, 0.75, 1.0, 1.5, 2.0),
            largest_log_size=4.0,
            initial_score=0.01,
        ),
        loss=LossParameters("joint", "diou", 1.0, 1.0, None, 0.0),
        match=MatchParameters(0.5, 0.4, 0.9, 0.0, RANGES),
    )
    return FoldParameters(
        network="fedn",
        own=own,
        augment=AugmentParameters(8, 0.1, 0.1, 0.1),
        train=TrainParameters(**(settings | train)),  # type: ignore[arg-type]
    )


DETECT = DetectParameters(
    window_stride=16,
    batch_size=32,
    ranking="highest",
    score_floor=0.05,
    suppression_overlap=0.2,
    suppression_per_class=False,
    keep=200,
)
