"""Class names: every way to write one, and nothing but an index or a clear error for everything else."""

import string

import pytest
from helpers import raises_one_line, says
from hypothesis import given
from hypothesis import strategies as st

import saliency_lib as sl
from saliency_lib.categories import numbered_categories

NAMES = sl.imagenet_categories()
TOY = sl.Categories(
    ["cat", "catfish", "Crane", "crane, machine", "dog"],
    ["n1", "n2", "n3", "n4", "n5"],
    [["tabby", "house cat"], [], ["wader"], ["derrick"], ["Tabby"]],
)


def test_there_are_a_thousand_classes_each_with_its_own_name_and_synset() -> None:
    assert len(NAMES) == len(set(NAMES.names)) == len(set(NAMES.synsets)) == 1000
    assert all(name == name.strip() and name for name in NAMES.names)
    assert all(len(synset) == 9 and synset[0] == "n" and synset[1:].isdecimal() for synset in NAMES.synsets)
    assert list(NAMES.synsets) == sorted(NAMES.synsets)  # the order of ILSVRC's scores is that of WordNet's ids


def test_known_classes_have_their_known_places() -> None:
    known = {0: "tench", 281: "tabby", 285: "Egyptian cat", 404: "airliner", 967: "espresso", 999: "toilet tissue"}
    assert {i: NAMES.name(i) for i in known} == known
    assert NAMES.index("n02124075") == 285


@pytest.mark.parametrize("write", [str, str.upper, str.lower, str.swapcase, lambda name: f"  {name}\n"])
def test_every_name_finds_its_class_however_it_is_written(write) -> None:
    ambiguous = {name for name in NAMES.names if [n.casefold() for n in NAMES.names].count(name.casefold()) > 1}
    for index, name in enumerate(NAMES.names):
        if write in (str, *ambiguous) or name not in ambiguous:
            assert NAMES.index(write(name)) == index


def test_every_index_and_synset_finds_its_class() -> None:
    for index, synset in enumerate(NAMES.synsets):
        assert NAMES.index(synset) == NAMES.index(index) == NAMES.index(str(index)) == index


def test_a_synonym_and_the_beginning_of_a_name_are_enough() -> None:
    assert NAMES.index("Tinca tinca") == 0
    assert NAMES.index("Egyptian") == 285
    assert TOY.index("catf") == 1
    assert TOY.index("der") == 3
    assert TOY.index("WADER") == 2


def test_an_own_name_goes_before_longer_names_and_synonyms() -> None:
    assert TOY.index("cat") == 0  # although catfish begins with it
    assert TOY.index("crane") == 2  # although class 3 begins with it
    assert sl.Categories(["a", "b"], (), [["b"], []]).index("B") == 1  # although it is a synonym of a


@pytest.mark.parametrize(
    ("text", "candidates"), [("ca", ["'cat' (0)", "'catfish' (1)"]), ("tabby", ["'cat' (0)", "'dog' (4)"])]
)
def test_an_ambiguous_name_lists_whom_it_could_mean(text: str, candidates: list[str]) -> None:
    with pytest.raises(sl.TargetError, match="could be any of") as caught:
        TOY.index(text)
    message = says(caught.value)
    assert all(candidate in message for candidate in candidates)
    assert "Crane" not in message


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("egyptain cat", "'Egyptian cat' (285)"),
        ("expresso", "'espresso' (967)"),
        ("mopedd", "'moped' (665)"),
        ("retriever", "'golden retriever' (207)"),
        ("n99999999", "there is no class 'n99999999'"),
    ],
)
def test_an_unknown_name_lists_the_nearest(text: str, near: str) -> None:
    with pytest.raises(sl.TargetError, match=r"there is no class|could be any of") as caught:
        NAMES.index(text)
    assert near in says(caught.value)


def test_a_long_list_of_candidates_is_cut() -> None:
    with raises_one_line(sl.TargetError, r"and \d+ more"):
        NAMES.index("b")


@pytest.mark.parametrize("index", [-1, 1000, 10**30, -(10**30)])
def test_indices_out_of_range_say_what_the_range_is(index: int) -> None:
    for method in (NAMES.name, NAMES.check, NAMES.index):
        with raises_one_line(sl.TargetError, f"no class {index}: the classes are 0 to 999"):
            method(index)


@pytest.mark.parametrize("text", ["", " ", "\n", "-1", "1000", "1.0", "9" * 5000, "x" * 5000, "a\nb\tc", "²", "\x00"])
def test_awkward_text_is_no_class(text: str) -> None:
    with raises_one_line(sl.TargetError):
        NAMES.index(text)


def index_or_error(categories: sl.Categories, target: object) -> None:
    try:
        index = categories.index(target)  # type: ignore[arg-type]
    except sl.TargetError as error:
        says(error)
    else:
        assert type(index) is int
        assert 0 <= index < len(categories)


@given(st.text() | st.text(string.ascii_letters + " ", max_size=4) | st.sampled_from(NAMES.names).map(lambda n: n[:5]))
def test_any_text_is_a_class_or_a_clear_error(text: str) -> None:
    for categories in (NAMES, TOY, numbered_categories(3), sl.Categories([])):
        index_or_error(categories, text)


@given(st.integers())
def test_any_number_is_a_class_or_a_clear_error(number: int) -> None:
    for categories in (NAMES, TOY, sl.Categories([])):
        index_or_error(categories, number)
        index_or_error(categories, str(number))


@given(st.integers(0, 999), st.integers(1, 30))
def test_whatever_beginning_of_a_name_is_accepted_means_a_class_with_that_beginning(index: int, length: int) -> None:
    beginning = NAMES.names[index][:length]
    try:
        found = NAMES.index(beginning)
    except sl.TargetError as error:
        assert "could be any of" in says(error)  # noqa: PT017 -- both outcomes are right
    else:
        names = [NAMES.names[found], *NAMES.synonyms[found]]
        assert any(name.casefold().startswith(beginning.strip().casefold()) for name in names)


def test_classes_without_names_are_numbered() -> None:
    categories = numbered_categories(12)
    assert categories.name(3) == "class 3"
    assert categories.index("class 3") == 3
    assert categories.index("class 1") == 1  # although classes 10 and 11 begin alike


def test_a_beginning_that_is_also_a_word_of_other_names_is_ambiguous() -> None:
    """ "dog" begins the name of one class only, the dogsled, and nobody who types it means that one."""
    categories = sl.imagenet_categories()
    with pytest.raises(sl.TargetError, match=r"'Eskimo dog'.* \(\d+\)"):
        categories.index("dog")
    with pytest.raises(sl.TargetError, match="'Persian cat'"):
        categories.index("cat")
    assert categories.names[categories.index("egyptian")] == "Egyptian cat"
