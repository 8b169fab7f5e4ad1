"""Heads answer for every output, and both kinds of head can be exchanged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.heads import HEADS, LevelAttention, Output, TrunkSizes
from pipeline.pyramid import Level

SIZES = TrunkSizes(attention_width=8, attention_heads=2, head_width=6, kernel=3)
OUTPUTS = (Output(12, 0.0), Output(18, -4.6))


def level(positions: int = 4) -> Level:
    return Level(torch.randn(2, positions, 10), torch.ones(2, positions, dtype=torch.bool))


@pytest.mark.parametrize("name", HEADS)
def test_a_head_answers_with_the_outputs_asked_for(name: str) -> None:
    answers = HEADS[name](10, SIZES, OUTPUTS)(level())
    assert [tuple(answer.shape) for answer in answers] == [(2, 4, 12), (2, 4, 18)]


@pytest.mark.parametrize("name", HEADS)
def test_a_fresh_head_answers_nearly_the_same_everywhere(name: str) -> None:
    answers = HEADS[name](10, SIZES, OUTPUTS)(level())
    for answer, output in zip(answers, OUTPUTS, strict=True):
        torch.testing.assert_close(answer, torch.full_like(answer, output.initially), rtol=0, atol=0.3)


def test_decoupled_branches_share_nothing_and_coupled_ones_all_but_the_last_layer() -> None:
    for name, shared in (("decoupled", False), ("coupled", True)):
        head = HEADS[name](10, SIZES, OUTPUTS)
        intervals, _ = head(level())
        intervals.sum().backward()
        touched = {weight for weight, value in head.named_parameters() if value.grad is not None}
        assert not any(weight.startswith("last.1") for weight in touched)
        assert any(weight.startswith("trunk.") for weight in touched) == shared
        assert not any(weight.startswith("trunks.1") for weight in touched)


def test_attention_over_positions_is_the_one_of_torch() -> None:
    ours = LevelAttention(8, 8, heads=2)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.project.weight,
            "in_proj_bias": ours.project.bias,
            "out_proj.weight": ours.merge.weight,
            "out_proj.bias": ours.merge.bias,
        }
    )
    features, usable = torch.randn(1, 5, 8), torch.tensor([[True, True, False, True, True]])
    expected = features + theirs(features, features, features, key_padding_mask=~usable, need_weights=False)[0]
    torch.testing.assert_close(ours(features, usable), expected * usable[..., None])


@pytest.mark.parametrize("name", HEADS)
def test_a_level_without_a_face_gives_finite_answers(name: str) -> None:
    head = HEADS[name](10, SIZES, OUTPUTS)
    answers = head(Level(torch.zeros(2, 4, 10), torch.zeros(2, 4, dtype=torch.bool)))
    sum(answer.sum() for answer in answers).backward()
    assert all(answer.isfinite().all() for answer in answers)
    assert all(weight.grad.isfinite().all() for weight in head.parameters())
