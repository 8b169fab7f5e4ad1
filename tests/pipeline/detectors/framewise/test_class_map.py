"""Class mapping: an encoder's classes into a corpus' own, and what is said where one has none."""

from __future__ import annotations

import pytest
import torch

from pipeline.detectors.framewise.class_map import ClassMap, ClassMapParameters
from pipeline.encoder import class_layer
from pipeline.encoder.class_layer import BIAS, WEIGHT
from pipeline.errors import DataError

MAP = ClassMapParameters({"neutral": None, "joy": "positive", "fear": "negative", "anger": "negative", "awe": None})
CLASSES = ("positive", "surprise", "negative")


def test_classes_that_stand_for_one_are_added_up() -> None:
    names = ("neutral", "joy", "fear", "anger")
    # Logits are log 1, log 2, log 3 and log 4 for every feature: probabilities 0.1, 0.2, 0.3 and 0.4.
    bias = torch.tensor([1.0, 2.0, 3.0, 4.0]).log()
    layer = class_layer.build(names, {WEIGHT: torch.zeros(4, 512), BIAS: bias})
    settled = MAP.of_encoder(names, CLASSES)
    classes = ClassMap(512, len(settled.classes), len(CLASSES))
    classes.take(layer, settled, CLASSES)
    torch.testing.assert_close(classes(torch.ones(1, 2, 512)), torch.tensor([[[0.2, 0.0, 0.7]] * 2]))
    assert settled.never_found(CLASSES) == ["surprise"]


def test_the_order_of_an_encoder_s_classes_is_of_no_consequence() -> None:
    # A card is written with sorted names: what is read back has to be what was built.
    assert list(MAP.of_encoder(("neutral", "joy"), CLASSES).classes) == ["joy", "neutral"]
    assert MAP.of_encoder(("joy", "neutral"), CLASSES) == MAP.of_encoder(("neutral", "joy"), CLASSES)


def test_a_class_of_the_encoder_without_a_line_is_named() -> None:
    with pytest.raises(DataError, match=r"has no line for disgust, pride, of the encoder's class layer\. Write"):
        MAP.of_encoder(("neutral", "disgust", "joy", "pride"), CLASSES)


def test_a_class_that_the_corpus_has_not_is_named() -> None:
    with pytest.raises(DataError, match=r"says joy: positive, but the corpus has happiness, fear\. Write"):
        MAP.of_encoder(("neutral", "joy"), ("happiness", "fear"))
