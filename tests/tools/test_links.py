"""Links that lead out of the book: what is broken is told, with the place where it stands."""

import pytest

from tools import links
from tools.project import BookError

OWN = "https://github.com/owner/book"


def link(uri: str, status: str) -> dict:
    return {"uri": uri, "status": status, "info": "404 Not Found", "filename": "intro.md", "lineno": 7, "code": 404}


def test_working_links_are_counted_and_others_left_alone() -> None:
    tried = [
        link("https://arxiv.org/abs/1312.6034", "working"),
        link("http://a.org", "redirected"),
        link(f"{OWN}/issues", "broken"),
        link("chapters/x.html", "broken"),
    ]
    assert links.told(tried, OWN) == "2 links, none broken."
    assert links.told([], OWN) == "0 links, none broken."


@pytest.mark.parametrize("status", ["broken", "timeout"])
def test_a_broken_link_is_told_with_its_place(status: str) -> None:
    with pytest.raises(BookError) as caught:
        links.told([link("https://gone.org", status), link("https://here.org", "working")], OWN)
    assert str(caught.value).splitlines() == [
        "intro.md:7: https://gone.org: 404 Not Found",
        "1 of 2 links are broken.",
    ]


def test_without_a_network_no_link_is_blamed() -> None:
    with pytest.raises(BookError, match=r"None of 2 links .* is there a network"):
        links.told([link("https://a.org", "broken"), link("https://b.org", "broken")], OWN)
