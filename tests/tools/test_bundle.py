"""The lab's modules become one classic script, or the bundle says why not."""

from pathlib import Path

import pytest

from tools.lab.bundle import bundle
from tools.project import BookError


def test_a_bundle_is_one_script_with_each_module_once_and_before_its_users(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nimport { c } from "./c.js";\nexport const a = b + c;\n'
    )
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\nexport const b = 2 * c;\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    text = bundle(tmp_path / "a.js")
    declared = [line for line in text.splitlines() if line.startswith("const")]
    assert declared == ["const c = 1;", "const b = 2 * c;", "const a = b + c;"]
    assert "import" not in text


@pytest.mark.parametrize("text", ["export default 1;\n", 'import a from "./a.js";\n', 'import { a } from "./a.js";\n'])
def test_what_a_bundle_cannot_do_it_says(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.js").write_text(text)
    with pytest.raises(BookError, match=r"lab/a\.js"):
        bundle(tmp_path / "a.js")
