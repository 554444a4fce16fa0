"""What is laid beside the site is exactly what was pinned; without it the build says one line and goes on."""

import dataclasses
import tarfile
from pathlib import Path

import pytest

from tools import vendor
from tools.project import ROOT, BookError, Project
from tools.vendor import Asset, integrity


def make_package(folder: Path, files: dict[str, str]) -> Path:
    """An npm package holding these files."""
    content = folder / "content"
    for name, text in files.items():
        (content / name).parent.mkdir(parents=True, exist_ok=True)
        (content / name).write_text(text)
    path = folder / "made.tgz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(content / "package", "package")
    return path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with one wanted script, one wanted font, and two files nobody wants."""
    names = ("es5/main.js", "es5/fonts/a.woff", "es5/other.js", "main.js")
    return make_package(tmp_path / "source", {f"package/{name}": name for name in names})


@pytest.fixture
def asset(package: Path) -> Asset:
    """The asset that pins this package."""
    return Asset("thing", "@some/thing", "1.0.0", integrity(package), "package/es5/", r"main\.js|fonts/\w+\.woff")


class Registry:
    """A stand-in for npm that copies a file and counts."""

    def __init__(self, package: Path) -> None:
        self.package, self.calls = package, 0

    def __call__(self, asset: Asset, folder: Path) -> None:
        self.calls += 1
        (folder / asset.archive).write_bytes(self.package.read_bytes())


def test_only_what_is_wanted_is_laid_and_it_is_fetched_once(tmp_path: Path, package: Path, asset: Asset) -> None:
    registry = Registry(package)
    for _ in range(2):
        assert vendor.prepare(tmp_path, (asset,), registry)
    assert registry.calls == 1
    assert vendor.ready(tmp_path, (asset,))
    vendor.lay(tmp_path, tmp_path / "site", (asset,))
    laid = tmp_path / "site" / "vendor" / "thing"
    assert sorted(path.relative_to(laid).as_posix() for path in laid.rglob("*.*")) == ["fonts/a.woff", "main.js"]
    assert (laid / "main.js").read_text() == "es5/main.js"


def test_a_tampered_package_is_refused(
    tmp_path: Path, package: Path, asset: Asset, capsys: pytest.CaptureFixture[str]
) -> None:
    package.write_bytes(package.read_bytes()[:-1] + b"!")
    with pytest.raises(BookError, match="sha512 differs"):
        vendor.fetch(asset, tmp_path / "cache", Registry(package))
    assert vendor.prepare(tmp_path, (asset,), Registry(package)) is None
    assert not vendor.ready(tmp_path, (asset,))
    assert "will ask a CDN" in capsys.readouterr().out.splitlines()[-1]


def test_a_damaged_cache_is_fetched_again(tmp_path: Path, package: Path, asset: Asset) -> None:
    registry = Registry(package)
    kept = vendor.fetch(asset, tmp_path, registry)
    kept.write_bytes(b"half")
    assert vendor.fetch(asset, tmp_path, registry).read_bytes() == package.read_bytes()
    assert registry.calls == 2


@pytest.mark.parametrize("error", [OSError("no network"), ImportError("no npm")])
def test_without_npm_or_a_network_one_line_is_said(
    tmp_path: Path, asset: Asset, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def pack(asset: Asset, folder: Path) -> None:
        raise error

    assert vendor.prepare(tmp_path, (asset,), pack) is None
    lines = [line for line in capsys.readouterr().out.splitlines() if "No offline copy" in line]
    assert len(lines) == 1


def test_every_asset_is_pinned_exactly() -> None:
    for asset in vendor.ASSETS:
        assert len(asset.integrity) == len("sha512-") + 88
        assert all(part.isdigit() for part in asset.version.split("."))
        assert dataclasses.replace(asset, version="9").archive != asset.archive


def test_the_real_assets_have_what_the_pages_load() -> None:
    if not vendor.ready(ROOT):
        pytest.skip("MathJax was not fetched here")
    (mathjax,) = (ROOT / ".cache" / "vendor" / f"{a.name}-{a.version}" for a in vendor.ASSETS)
    assert (mathjax / "tex-mml-chtml.js").is_file()
    assert len(list(mathjax.glob("output/chtml/fonts/woff-v2/*.woff"))) > 20
    assert (mathjax / "input/tex/extensions/boldsymbol.js").is_file()
    assert sum(path.stat().st_size for path in mathjax.rglob("*") if path.is_file()) < 4_000_000


def test_nothing_of_theirs_is_committed() -> None:
    from tools.checks import tracked

    names = [path.name for path in tracked(Project())]
    assert "tex-mml-chtml.js" not in names
