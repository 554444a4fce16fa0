"""The lab's files, written into a site."""

from pathlib import Path

from tools.lab import imagenet
from tools.lab.bundle import bundle
from tools.lab.creatures import creature_data
from tools.lab.diffusion import diffusion_data
from tools.lab.packing import script
from tools.lab.prepared import prepared
from tools.lab.suspect import race_data, suspect_data

SOURCES = "lab"


def lay(root: Path, site: Path) -> None:
    """Write into `lab/` of a site what its labs load: scripts, styles, weights and prepared pictures."""
    source, target = root / SOURCES, site / "lab"
    target.mkdir(exist_ok=True)
    (target / "lab.js").write_text(bundle(source / "start.js"), "utf-8", newline="\n")
    for name in ("view.js", "lab.css", "photo.css"):
        (target / name).write_text((source / name).read_text("utf-8"), "utf-8", newline="\n")
    script(target / "creatures.js", "creatures", creature_data())
    script(target / "suspect.js", "suspect", suspect_data())
    script(target / "race.js", "race", race_data())
    script(target / "diffusion.js", "diffusion", diffusion_data())
    for name, picture in prepared().items():
        options = {"quality": 80} if name == "photo" else {"lossless": True}
        picture.save(target / f"{name}.webp", "WEBP", **options)
    imagenet.write(root, target)
