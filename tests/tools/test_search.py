"""The search leads to sections, by the words that readers use; it quotes no code, and names come last."""

from browser import IN_A_BROWSER, Browser

from tools.project import Project

pytestmark = IN_A_BROWSER

FOUND = """[...document.querySelectorAll('#search-results li')].map((item) => ({
  address: item.querySelector('a').getAttribute('href'), title: item.querySelector('a').textContent,
  quoted: item.querySelector('p.context').textContent,
}))"""


def search(browser: Browser, site: Project, query: str) -> list[dict[str, str]]:
    """What the page of the search shows, opened from a disk."""
    browser.look()
    seen = browser.open(f"{site.site.as_uri()}/search.html?q={query.replace(' ', '+')}")
    assert (seen.errors, seen.failures) == ([], [])
    return browser.evaluate(FOUND)


def test_a_word_leads_to_its_section_and_hyphens_do_not_matter(browser: Browser, real_site: Project) -> None:
    asked = {
        "sanity check": ("one_rule_apart", "sanity check"),
        "GDPR": ("reference/what_to_report", ""),
        "posterior": ("what_does_a_convnet_see", "softmax"),
        "localization": ("where_is_it", "localization"),
        "guided backpropagation": ("one_rule_apart", ""),
    }
    found = {query: search(browser, real_site, query) for query in asked}
    for query, (page, title) in asked.items():
        address, anchor = found[query][0]["address"].split("#")
        assert page in address, query
        assert anchor, query
        assert title in found[query][0]["title"], query
    hyphened = search(browser, real_site, "guided back-propagation")
    assert [one["address"] for one in hyphened] == [one["address"] for one in found["guided backpropagation"]]


def test_code_is_not_quoted_and_names_come_last(browser: Browser, real_site: Project) -> None:
    found = search(browser, real_site, "saliency map")
    assert len(found) > 10
    assert not [each for each in found if "import " in each["quoted"] or "sl.saliency_map(" in each["quoted"]]
    of_package = ["reference/api" in each["address"] for each in found]
    assert of_package == sorted(of_package)
    assert "threshold_box" in search(browser, real_site, "threshold_box")[0]["address"]
    assert search(browser, real_site, "zzyzx") == []
