"""The package for learning platforms: every question is there, well formed, with the right answer of its chapter."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tools.course import qti
from tools.project import ROOT, Project

BOOK = Project(ROOT)
IN = {"i": qti.ITEM, "p": qti.PACKAGE}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The package of the whole book."""
    target: Path = tmp_path_factory.mktemp("qti") / "qti.zip"
    qti.write(BOOK, target)
    return zipfile.ZipFile(target)


def test_the_manifest_lists_every_file_and_no_other(package: zipfile.ZipFile) -> None:
    listed = [
        file.get("href") for file in ElementTree.fromstring(package.read("imsmanifest.xml")).iterfind(".//p:file", IN)
    ]
    assert sorted([*map(str, listed), "imsmanifest.xml"]) == sorted(package.namelist())
    assert len(listed) == len(set(listed)) >= 30 + 2 * len(BOOK.chapters) - 4


def test_the_right_option_is_the_chapters(package: zipfile.ZipFile) -> None:
    for one in qti.choices(BOOK):
        made = ElementTree.fromstring(package.read(f"{one.name}.xml"))
        offered = {found.get("identifier"): found for found in made.iterfind(".//i:simpleChoice", IN)}
        right = made.findtext(".//i:correctResponse/i:value", namespaces=IN)
        expected = next(option for option in one.options if option.right)
        assert "".join(offered[right].itertext()).startswith(qti._inline("p", expected.text).text or "")
        assert len(offered) == len(one.options)


def test_written_questions_have_their_key_where_only_the_marker_looks(package: zipfile.ZipFile) -> None:
    written = list(qti.written(BOOK))
    assert len(written) >= 32
    for one in written:
        made = ElementTree.fromstring(package.read(f"{one.name}.xml"))
        assert one.asked.endswith(("?", "$.")) or "?" in one.asked or one.asked.endswith("."), one.name
        (key,) = made.iterfind(".//i:rubricBlock[@view='scorer']", IN)
        assert len("".join(key.itertext()).split()) >= 8, one.name
