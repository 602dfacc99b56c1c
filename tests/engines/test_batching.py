"""Shared beginnings are found where they save the most, and batches keep to their budget."""

import random

from engines.batching import Group, batches, common_length, shared_stems, unshared


def as_sets(groups):
    return {(group.stem, frozenset(group.members)) for group in groups}


def test_common_length():
    assert common_length((1, 2, 3), (1, 2, 4)) == 2
    assert common_length((1, 2), (1, 2, 3)) == 2
    assert common_length((), (1,)) == 0
    assert common_length((5,), (6,)) == 0


def test_two_deep_groups_beat_one_shallow_one():
    head = (0, 0)
    prompts = [(*head, 1, 1, 1, 9), (*head, 2, 2, 2, 8), (*head, 1, 1, 1, 7), (*head, 2, 2, 2, 6)]
    # one group of four saves 3 x 2 tokens; two groups of two save 2 x 5
    assert as_sets(shared_stems(prompts, 1)) == {(5, frozenset({0, 2})), (5, frozenset({1, 3}))}


def test_one_shallow_group_beats_what_is_below_it():
    prompts = [(0, 0, 0, 0, 1, 1), (0, 0, 0, 0, 1, 2), (0, 0, 0, 0, 3, 3), (0, 0, 0, 0, 4, 4)]
    # one group saves 3 x 4; the pair below only 1 x 5
    assert as_sets(shared_stems(prompts, 1)) == {(4, frozenset({0, 1, 2, 3}))}


def test_short_stems_are_not_worth_a_pass():
    assert as_sets(shared_stems([(1, 2, 3), (1, 2, 4)], 3)) == {(0, frozenset({0})), (0, frozenset({1}))}


def test_equal_prompts_keep_one_token_each():
    assert shared_stems([(1, 2, 3), (1, 2, 3)], 1) == [Group(2, (0, 1))]


def test_a_prompt_that_is_the_beginning_of_another_keeps_one_token():
    assert shared_stems([(1, 2, 3, 4), (1, 2, 3)], 1) == [Group(2, (1, 0))]


def test_every_prompt_is_in_one_group_and_the_stem_is_shared():
    rng = random.Random(0)
    prompts = [tuple(rng.choices((0, 1), k=rng.randint(1, 12))) for _ in range(600)]
    groups = shared_stems(prompts, 2)
    assert sorted(place for group in groups for place in group.members) == list(range(600))
    for group in groups:
        assert len({prompts[place][: group.stem] for place in group.members}) == 1
        assert all(len(prompts[place]) > group.stem for place in group.members)


def test_batches_hold_every_prompt_once_within_rows_and_tokens():
    rng = random.Random(1)
    prompts = [tuple(rng.choices((0, 1, 2), k=rng.randint(1, 40))) for _ in range(300)]
    for groups in (unshared(prompts), shared_stems(prompts, 2)):
        out = list(batches(prompts, groups, tokens=400, rows=16))
        members = [place for batch in out for group in batch for place in group.members]
        assert sorted(members) == list(range(300))
        for batch in out:
            count = sum(len(group.members) for group in batch)
            width = max(group.stem for group in batch) + max(
                len(prompts[place]) - group.stem for group in batch for place in group.members
            )
            assert count <= 16
            assert count * width <= 400 or count == 1
            assert len({group.stem > 0 for group in batch}) == 1


def test_what_will_be_generated_counts():
    prompts = [(1,) * 10] * 8
    assert [len(batch) for batch in batches(prompts, unshared(prompts), tokens=80, rows=8)] == [8]
    assert [len(batch) for batch in batches(prompts, unshared(prompts), tokens=80, rows=8, extra=10)] == [4, 4]


def test_no_prompts_no_batches():
    assert shared_stems([], 1) == []
    assert list(batches([], [], tokens=10, rows=2)) == []
