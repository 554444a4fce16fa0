"""The API page lists every public name, and only names that exist."""

import importlib
import re

import pytest

import saliency_lib
from tools.project import ROOT, Project

PAGE = (ROOT / "reference" / "api.md").read_text("utf-8")
LISTED = re.findall(r"^\.\. auto(?:function|class|exception):: (\S+)$", PAGE, re.MULTILINE)
MODULES = re.findall(r"^\.\. automodule:: (\S+)$", PAGE, re.MULTILINE)


def test_every_public_name_is_listed_once_and_no_other() -> None:
    public = {name for name in saliency_lib.__all__ if not hasattr(getattr(saliency_lib, name), "__path__")}
    modules = {name for name in public if type(getattr(saliency_lib, name)).__name__ == "module"}
    assert sorted(LISTED) == sorted(public - modules)
    assert modules <= {name.removeprefix("saliency_lib.") for name in MODULES}


@pytest.mark.parametrize("name", LISTED)
def test_every_listed_name_exists_and_says_what_it_is(name: str) -> None:
    assert len(getattr(saliency_lib, name).__doc__ or "") > 20


@pytest.mark.parametrize("name", MODULES)
def test_every_listed_module_exists(name: str) -> None:
    assert importlib.import_module(name).__doc__


def test_every_listed_name_is_on_the_built_page(real_site: Project) -> None:
    page = (real_site.site / "reference" / "api.html").read_text("utf-8")
    assert [name for name in LISTED if f'id="saliency_lib.{name}"' not in page] == []
