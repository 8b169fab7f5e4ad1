"""The class layer of an encoder: set apart from the network, and what it says of features."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import resnet18

from pipeline.encoder import class_layer, probing, resnet
from pipeline.encoder.class_layer import BIAS, WEIGHT


def test_a_network_is_split_into_an_encoder_and_its_class_layer() -> None:
    network = resnet18(num_classes=3)
    encoder, layer = class_layer.split(network.state_dict())
    resnet.check({name: value for name, value in encoder.items() if not name.endswith(resnet.IGNORED_SUFFIX)})
    built = class_layer.build(["joy", "fear", "anger"], layer)
    features = torch.rand((4, 512), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(built.logits(features), network.fc(features))
    assert built.tensors().keys() == {WEIGHT, BIAS}


def test_probabilities_of_some_classes_add_up_to_one_in_the_order_asked_for() -> None:
    # Logits are log 1, log 2, log 6 for every feature: of the third and the first, 6/7 and 1/7.
    layer = class_layer.build(("a", "b", "c"), {WEIGHT: torch.zeros(3, 512), BIAS: torch.tensor([1.0, 2.0, 6.0]).log()})
    found = layer.probabilities_of(torch.ones(1, 512), ("c", "a"))
    torch.testing.assert_close(found, torch.tensor([[6 / 7, 1 / 7]]))
    with pytest.raises(ValueError, match="not in tuple"):
        layer.probabilities_of(torch.ones(1, 512), ("d",))


def test_a_probe_says_the_same_as_a_class_layer() -> None:
    generator = torch.Generator().manual_seed(0)
    features, classes = 5 * torch.rand((60, 512), generator=generator) + 2, torch.arange(60) % 3
    probe = probing.fit(features, classes, 3, 0.01)
    layer = probe.class_layer(("a", "b", "c"))
    standardised = (features - probe.mean) / probe.deviation
    torch.testing.assert_close(layer.logits(features), standardised @ probe.weight + probe.bias, atol=1e-3, rtol=1e-3)


def test_names_that_do_not_fit_the_layer_are_refused() -> None:
    layer = {WEIGHT: torch.zeros(3, 512), BIAS: torch.zeros(3)}
    for names, message in ((["a", "b"], "its 2 classes"), (["a", "a", "b"], "each once"), ("abc", "list of names")):
        with pytest.raises(ValueError, match=message):
            class_layer.build(names, layer)
