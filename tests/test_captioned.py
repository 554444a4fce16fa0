"""Pictures with sentences: what is said is what is drawn, and what is written is all that changes."""

import pytest
import torch
from helpers import raises_one_line, says

import saliency_lib as sl
from saliency_lib.datasets.captioned import LETTERS, STRIP
from saliency_lib.datasets.creatures import CATEGORIES
from saliency_lib.datasets.sentences import VOCABULARY, fact, others, sentences, split, tokens, true_of


@pytest.fixture(scope="module")
def drawn() -> sl.Captioned:
    return sl.captioned(120, seed=5, written="none")


def middle(mask: torch.Tensor) -> tuple[float, float]:
    rows, columns = mask.nonzero().double().mean(0).tolist()
    return columns, rows


def test_what_is_said_is_how_the_things_lie(drawn: sl.Captioned) -> None:
    alone = 0
    for said, stated, thing, other in zip(
        drawn.sentences, drawn.facts.tolist(), drawn.masks["thing"], drawn.masks["other"], strict=True
    ):
        assert fact(said) == tuple(stated)
        assert thing.any()
        if stated[1] < 0:
            assert not other.any()
            alone += 1
            continue
        (x, y), (u, v) = middle(thing), middle(other)
        held = {"left of": x < u, "right of": x > u, "above": y < v, "below": y > v}
        (relation,) = [name for name in held if f" {name} " in said]
        assert held[relation]
        assert not (thing & other).any()
    assert 40 < alone < 80
    assert not drawn.masks["strip"].any()


def test_writing_changes_the_strip_and_nothing_else(drawn: sl.Captioned) -> None:
    for written in ("fish", "butterfly", "some"):
        marked = sl.captioned(120, seed=5, written=written)
        strip = marked.masks["strip"]
        assert marked.sentences == drawn.sentences
        kept = (marked.images == drawn.images).all(1)
        left_out = drawn.masks["thing"] & ~marked.masks["thing"]
        assert kept[~strip].all() if written != "some" else kept[~strip & ~left_out].float().mean() > 0.98
        assert not kept[strip].all()
        assert not (strip & (marked.masks["thing"] | marked.masks["other"])).any()
        sign = ~marked.masks["thing"].flatten(1).any(1)
        assert torch.equal(marked.masks["thing"][~sign], (drawn.masks["thing"] & ~strip)[~sign])
        if written == "some":
            assert 50 < strip.flatten(1).any(1).sum() < 94
            assert 10 < sign.sum() < 40
            assert strip[sign].flatten(1).any(1).all()
            assert (marked.facts[sign, 1] < 0).all()
        else:
            assert (strip.sum((1, 2)) == STRIP * (4 * len(written) + 3)).all()


def test_some_is_written_where_it_is_true() -> None:
    """The dark pixels of each strip are those of the name of one of the things, and of no other word."""
    marked = sl.captioned(60, seed=6)
    for index in range(60):
        if not (strip := marked.masks["strip"][index]).any():
            continue
        rows, columns = strip.any(1).nonzero().flatten(), strip.any(0).nonzero().flatten()
        gray = marked.images[index].mean(0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        dark = (gray < gray.max() / 2)[1:6, 2:-1]
        spelled = [
            "".join("#" if bit else "." for bit in dark[:, at : at + 3].flatten()) for at in range(0, dark.shape[1], 4)
        ]
        read = "".join(next(c for c, form in LETTERS.items() if form.replace(" ", "") == one) for one in spelled)
        assert read in [CATEGORIES.names[i] for i in marked.facts[index, :2].tolist() if i >= 0]


def test_kinds_are_kept() -> None:
    owls = sl.captioned(20, seed=2, kind="owl")
    assert {one[0] for one in owls.facts.tolist()} == {CATEGORIES.index("owl")}
    assert all(a != b for a, b, _ in owls.facts.tolist())
    assert (sl.captioned(20, seed=2, things=2).facts[:, 1] >= 0).all()
    assert (sl.captioned(20, seed=2, things=1).facts[:, 1] < 0).all()


def test_every_letter_that_is_needed_is_there() -> None:
    assert set(LETTERS) == set("".join(CATEGORIES.names))
    assert all(len(form) == 19 for form in LETTERS.values())
    assert len(set(LETTERS.values())) == len(LETTERS)


@pytest.mark.parametrize(("given", "part"), [({"things": 3}, "things"), ({"written": "eagle"}, "eagle")])
def test_what_cannot_be_drawn(given: dict[str, object], part: str) -> None:
    with pytest.raises(sl.SaliencyError) as error:
        sl.captioned(1, **given)  # type: ignore[arg-type]
    assert part in says(error.value)


# --- sentences -------------------------------------------------------------------------------------------------------


def test_every_sentence_states_its_fact_and_is_true_from_both_sides() -> None:
    every = sentences()
    assert len(set(every)) == 370
    facts = torch.tensor([fact(said) for said in every])
    assert len({tuple(one) for one in facts.tolist()}) == 370
    true = true_of(facts, facts)
    assert true.diagonal().all()
    assert (true[10:, 10:].sum(1) == 2).all()
    assert (true[10:, :10].sum(1) == 2).all()
    assert not true[:10, 10:].any()
    left, right = every.index("an owl left of a tree"), every.index("a tree right of an owl")
    assert true[left, right]
    assert not true[left, every.index("a tree left of an owl")]
    assert tokens(every).shape == (370, 6)


def test_another_word_in_its_place() -> None:
    found = others("an owl left of a tree", "owl")
    assert len(found) == 8
    assert "a fish left of a tree" in found
    assert others("a fish above a tree", "tree")[-3:] == [
        "a fish above an owl",
        "a fish above a snail",
        "a fish above a starfish",
    ]
    assert others("an owl left of a tree", "left") == ["an owl right of a tree"]
    with raises_one_line(sl.TargetError, "no thing"):
        others("an owl", "an")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("an owls", "nearest it knows are owl"),
        ("a kitten", "nearest it knows are"),
        ("a cat a cat a cat a cat", "at most 6"),
        ("", "a sentence is one such as"),
        (3, "a sentence is one such as"),
    ],
)
def test_a_word_that_was_never_seen_is_said_with_the_nearest(said: object, part: str) -> None:
    with raises_one_line(sl.TargetError, part):
        tokens([said])  # type: ignore[list-item]
    with pytest.raises(sl.TargetError):
        tokens([])


def test_words_are_words() -> None:
    assert split("An owl") == ["an", "owl"]
    assert len(VOCABULARY) == 18
