"""Detection heads: two branches a level, towers for every output, and both kinds of branch can be exchanged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pipeline.detectors.fedn.heads import BRANCHES, BranchSizes, Head, LastLayer, LevelAttention
from pipeline.detectors.fedn.pyramid import Level

SIZES = BranchSizes(attention_width=8, attention_heads=2, head_width=6, hidden_layers=2, kernel=3)
OUTPUTS = (LastLayer(2, 0.0), LastLayer(3, -4.6))


def build(name: str) -> Head:
    """Return a head for levels 10 wide, with one prediction of the anchor-free branch and five of the other."""
    return Head(name, 10, SIZES, OUTPUTS, (1, 5))


def level(positions: int = 4) -> Level:
    return Level(torch.randn(2, positions, 10), torch.ones(2, positions, dtype=torch.bool))


def touched_by(head: Head, output: int, prediction: slice) -> set[str]:
    """Return the weights that some predictions of one output depend on."""
    head.zero_grad()
    head(level())[output][:, :, prediction].sum().backward()
    return {name for name, weight in head.named_parameters() if weight.grad is not None and weight.grad.any()}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_head_answers_every_output_for_every_prediction(name: str) -> None:
    assert [tuple(answer.shape) for answer in build(name)(level())] == [(2, 4, 6, 2), (2, 4, 6, 3)]


@pytest.mark.parametrize("name", BRANCHES)
def test_a_fresh_head_answers_nearly_the_same_everywhere(name: str) -> None:
    for answer, output in zip(build(name)(level()), OUTPUTS, strict=True):
        torch.testing.assert_close(answer, torch.full_like(answer, output.initially), rtol=0, atol=0.3)


@pytest.mark.parametrize("name", BRANCHES)
def test_the_anchor_free_and_the_anchor_based_branch_share_no_layer(name: str) -> None:
    head = build(name)
    free = touched_by(head, 0, slice(0, 1)) | touched_by(head, 1, slice(0, 1))
    based = touched_by(head, 0, slice(1, 6)) | touched_by(head, 1, slice(1, 6))
    assert free
    assert {weight.split(".")[1] for weight in free} == {"0"}
    assert {weight.split(".")[1] for weight in based} == {"1"}


def test_decoupled_outputs_share_a_branchs_attention_and_coupled_ones_all_but_the_last_layer() -> None:
    for name, towers in (("decoupled", set()), ("coupled", {"tower"})):
        head = build(name)
        shared = touched_by(head, 0, slice(1, 6)) & touched_by(head, 1, slice(1, 6))
        assert {weight.split(".")[2] for weight in shared} == {"attend"} | towers


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_has_one_attention_and_towers_of_two_hidden_convolutions(name: str) -> None:
    branch = BRANCHES[name](10, SIZES, OUTPUTS, 5)
    attentions = [module for module in branch.modules() if isinstance(module, LevelAttention)]
    hidden = [module for module in branch.modules() if isinstance(module, nn.LayerNorm)]
    assert len(attentions) == 1
    assert len(hidden) == 2 * {"decoupled": len(OUTPUTS), "coupled": 1}[name]


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


@pytest.mark.parametrize("name", BRANCHES)
def test_a_level_without_a_face_gives_finite_answers(name: str) -> None:
    head = build(name)
    answers = head(Level(torch.zeros(2, 4, 10), torch.zeros(2, 4, dtype=torch.bool)))
    sum(answer.sum() for answer in answers).backward()
    assert all(answer.isfinite().all() for answer in answers)
    assert all(weight.grad.isfinite().all() for weight in head.parameters())
