"""What is laid beside the site is exactly what was pinned; without it the build says one line and goes on."""

import tarfile
from pathlib import Path

import pytest

from tools import vendor
from tools.project import ROOT, BookError
from tools.vendor import Asset, integrity

FILES = ("es5/main.js", "es5/fonts/a.woff", "es5/other.js", "main.js")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one wanted script, one wanted font, and two files nobody wants."""
    for name in FILES:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    with tarfile.open(tmp_path / "made.tgz", "w:gz") as tar:
        tar.add(tmp_path / "source", "package")
    return tmp_path / "made.tgz"


@pytest.fixture
def asset(package: Path) -> Asset:
    """The asset that pins this package."""
    return Asset("thing", "@some/thing", "1.0.0", integrity(package), "package/es5/", r"main\.js|fonts/\w+\.woff")


class Registry:
    """A stand-in for npm that copies a file and counts."""

    def __init__(self, package: Path) -> None:
        self.package, self.calls = package, 0

    def __call__(self, asset: Asset, folder: str) -> None:
        self.calls += 1
        (Path(folder) / asset.archive).write_bytes(self.package.read_bytes())


def test_only_what_is_wanted_is_laid_and_it_is_fetched_once(tmp_path: Path, package: Path, asset: Asset) -> None:
    registry = Registry(package)
    for _ in range(2):
        assert vendor.prepare(tmp_path, (asset,), registry)
    assert registry.calls == 1
    vendor.lay(tmp_path, tmp_path / "site", (asset,))
    laid = tmp_path / "site" / "vendor" / "thing"
    assert sorted(path.relative_to(laid).as_posix() for path in laid.rglob("*.*")) == ["fonts/a.woff", "main.js"]
    assert (laid / "main.js").read_text() == "es5/main.js"


def test_a_tampered_package_is_refused_and_nothing_of_it_kept(
    tmp_path: Path, package: Path, asset: Asset, capsys: pytest.CaptureFixture[str]
) -> None:
    package.write_bytes(package.read_bytes()[:-1] + b"!")
    with pytest.raises(BookError, match="sha512 differs"):
        vendor.fetch(asset, tmp_path, Registry(package))
    assert not vendor.prepare(tmp_path, (asset,), Registry(package))
    assert list((tmp_path / ".cache" / "vendor").iterdir()) == []
    assert "will ask a CDN" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("error", [OSError("no network"), ImportError("no npm")])
def test_without_npm_or_a_network_one_line_is_said(
    tmp_path: Path, asset: Asset, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def pack(asset: Asset, folder: str) -> None:
        raise error

    assert not vendor.prepare(tmp_path, (asset,), pack)
    lines = [line for line in capsys.readouterr().out.splitlines() if "No offline copy" in line]
    assert len(lines) == 1


def test_every_asset_is_pinned_exactly() -> None:
    for asset in vendor.ASSETS:
        assert len(asset.integrity) == len("sha512-") + 88
        assert all(part.isdigit() for part in asset.version.split("."))


def test_mathjax_has_what_the_pages_load() -> None:
    if not vendor.ready(ROOT):
        pytest.skip("MathJax was not fetched here")
    mathjax = vendor.ASSETS[0].folder(ROOT)
    assert (mathjax / "tex-mml-chtml.js").is_file()
    assert len(list(mathjax.glob("output/chtml/fonts/woff-v2/*.woff"))) > 20
    assert (mathjax / "input/tex/extensions/boldsymbol.js").is_file()
    assert sum(path.stat().st_size for path in mathjax.rglob("*") if path.is_file()) < 4_000_000
