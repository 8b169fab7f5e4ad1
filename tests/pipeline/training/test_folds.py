"""No fold trains on the subject it is scored on."""

from __future__ import annotations

import pytest

from pipeline.training import folds


def test_every_subject_is_held_out_once_and_never_trained_on() -> None:
    found = folds.leave_one_subject_out(["s2", "s1", "s2", "s3"])
    assert [fold.held_out for fold in found] == [("s1",), ("s2",), ("s3",)]
    assert [fold.train_subjects for fold in found] == [("s2", "s3"), ("s1", "s3"), ("s1", "s2")]
    assert [fold.name for fold in found] == ["without-s1", "without-s2", "without-s3"]


def test_the_order_of_subjects_does_not_matter() -> None:
    assert folds.leave_one_subject_out(["b", "a"]) == folds.leave_one_subject_out(["a", "b", "a"])


def test_groups_are_left_out_whole_and_the_last_one_may_be_smaller() -> None:
    found = folds.leave_groups_out(["s5", "s1", "s2", "s3", "s4"], 2)
    assert [fold.held_out for fold in found] == [("s1", "s2"), ("s3", "s4"), ("s5",)]
    assert [fold.name for fold in found] == ["without-s1-s2", "without-s3-s4", "without-s5"]
    assert found[2].train_subjects == ("s1", "s2", "s3", "s4")


@pytest.mark.parametrize(("subjects", "size"), [(["a", "b"], 2), (["a", "b"], 0)])
def test_a_group_must_leave_somebody_to_train_on(subjects: list[str], size: int) -> None:
    with pytest.raises(ValueError, match=f"Leaving {size} of the subjects out needs at least"):
        folds.leave_groups_out(subjects, size)


def test_everyone_is_one_fold_without_a_held_out_subject() -> None:
    assert folds.everyone(["b", "a", "b"]) == folds.Fold("all", ("a", "b"), ())


def test_a_subject_called_all_cannot_be_taken_for_everyone() -> None:
    subjects = ["all", "other"]
    assert folds.everyone(subjects).name not in {fold.name for fold in folds.leave_one_subject_out(subjects)}


@pytest.mark.parametrize("subjects", [[], ["s1", "s1"]])
def test_one_subject_cannot_be_left_out(subjects: list[str]) -> None:
    with pytest.raises(ValueError, match="at least 2 subjects"):
        folds.leave_one_subject_out(subjects)


def test_nobody_cannot_be_trained_on() -> None:
    with pytest.raises(ValueError, match="No subjects"):
        folds.everyone([])


def test_each_two_subjects_are_left_out_together() -> None:
    found = folds.leave_pairs_out(["cem", "ann", "ben", "ann"])
    assert [(fold.name, fold.train_subjects, fold.held_out) for fold in found] == [
        ("without-ann+ben", ("cem",), ("ann", "ben")),
        ("without-ann+cem", ("ben",), ("ann", "cem")),
        ("without-ben+cem", ("ann",), ("ben", "cem")),
    ]
    assert len(folds.leave_pairs_out(map(str, range(22)))) == 22 * 21 // 2


def test_pairs_that_leave_nobody_or_share_a_name_are_refused() -> None:
    with pytest.raises(ValueError, match="needs at least 3 subjects, found a, b"):
        folds.leave_pairs_out("ab")
    with pytest.raises(ValueError, match="Two folds would have one name"):
        folds.leave_pairs_out(["a", "b", "a+b"])
