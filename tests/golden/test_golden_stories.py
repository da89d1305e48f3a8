"""Every golden story still ends as it is written. `SLIPWAY_GOLDEN=write` writes the ends anew."""

import os
from pathlib import Path

import pytest
import yaml

from core_golden import STORIES, list_stories, plan_story, render_plan, render_yaml


@pytest.mark.parametrize("name", list_stories(), ids=str)
def test_a_story_ends_as_written(name: str) -> None:
    story = yaml.safe_load((STORIES / f"{name}.in.yaml").read_text())
    text = render_yaml(render_plan(plan_story(story)))
    end: Path = STORIES / f"{name}.out.yaml"
    if os.environ.get("SLIPWAY_GOLDEN") == "write":
        end.write_text(text)
    assert text == end.read_text(), f"{end.name} differs; see the diff after `make golden`"


def test_there_is_an_end_for_each_story_and_no_other() -> None:
    ends = sorted(path.name.removesuffix(".out.yaml") for path in STORIES.glob("*.out.yaml"))
    assert ends == list_stories()
    assert len(ends) >= 20
