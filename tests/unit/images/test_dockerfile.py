"""The Dockerfile says the same as the recipes; what it installs is installed by the same code."""

import re
from pathlib import Path

from image_recipes import BASE_PACKAGES, DEBIAN, ENVIRONMENT, HOME, RECIPES, USER

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "images/Dockerfile").read_text().replace("\\\n", " ")
STAGES = {
    stage.split("\n", 1)[0].rpartition(" AS ")[2]: stage for stage in TEXT.split("\nFROM ")[1:]
}


def test_the_base_is_that_of_the_recipes() -> None:
    assert f"debian:{DEBIAN}-slim" in TEXT
    installed = re.search(r"--no-install-recommends ([^&]+)", STAGES["base"])
    assert installed is not None
    assert tuple(installed[1].split()) == BASE_PACKAGES
    assert f"slipway:x:{USER}::" in STAGES["base"]
    assert f"slipway:x:{USER.partition(':')[2]}: >> /etc/group" in STAGES["base"]
    variables = re.search(r"^ENV (.+)$", STAGES["base"], re.MULTILINE)
    assert variables is not None
    assert dict(pair.split("=", 1) for pair in variables[1].split()) == ENVIRONMENT


def test_every_image_has_a_target() -> None:
    for recipe in RECIPES:
        assert f"images/image_layers.py {recipe.name} /layers" in STAGES[f"{recipe.name}-layers"]
        stage = STAGES[recipe.name].splitlines()
        assert f"COPY --from={recipe.name}-layers /layers/ /" in stage
        assert f"USER {USER}" in stage
        program = next(iter(recipe.programs))
        assert f'ENTRYPOINT ["{HOME}/bin/{program}"]' in stage
    assert STAGES.keys() == {"base", "builder"} | {
        name for recipe in RECIPES for name in (recipe.name, f"{recipe.name}-layers")
    }


def test_it_uses_the_uv_of_the_makefile() -> None:
    version = re.search(r"^UV_VERSION := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert version is not None
    assert f"uv=={version[1]}" in STAGES["builder"]
