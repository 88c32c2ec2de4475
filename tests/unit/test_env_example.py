"""The example settings name every setting, and no other."""

import re

from app.core.config import PROJECT_ROOT, Settings

NAME = re.compile(r"^#?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


def test_env_example_names_exactly_the_settings() -> None:
    named = {name.lower() for name in NAME.findall((PROJECT_ROOT / ".env.example").read_text())}
    assert named == set(Settings.model_fields)
