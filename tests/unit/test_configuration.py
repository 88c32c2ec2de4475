"""The page about configuration is complete and of this version."""

from pathlib import Path

from app.core.config import Settings
from app.core.configuration import PAGE, configuration_page, default_of, kind_of, read_example


def test_page_is_of_this_version() -> None:
    assert PAGE.read_text() == configuration_page(), "Run: make docs"


def test_page_tells_every_setting_once_with_its_kind_and_default() -> None:
    page = configuration_page()
    for name in Settings.model_fields:
        assert page.count(f"**`{name.upper()}`** ") == 1, name


def test_comment_is_told_of_all_variables_right_below_it(tmp_path: Path) -> None:
    example = tmp_path / "example"
    example.write_text("# Of the file.\n\n# --- Web ----\nHOST=x\n# Both of\n# them.\n#A=1\nB=2\n")
    [section] = read_example(example)
    told = [(block.text, block.names) for block in section.blocks]
    assert (section.title, told) == ("Web", [("", ["HOST"]), ("Both of them.", ["A", "B"])])


def test_kinds_bounds_and_defaults_are_words() -> None:
    fields = Settings.model_fields
    assert kind_of(fields["database_pool_size"]) == "whole number, 1 to 200"
    assert kind_of(fields["provider_timeout_s"]) == "number, above 0"
    assert kind_of(fields["smtp_security"]) == "one of `starttls`, `tls`, `none`"
    assert kind_of(fields["old_secret_keys"]) == "list, comma separated"
    assert kind_of(fields["secret_key"]) == "text, kept secret"
    assert default_of(fields["debug"]) == "`false`"
    assert default_of(fields["secret_key"]) == default_of(fields["redis_url"]) == "–"
    assert default_of(fields["data_dir"]) == "`data/` beside the code"
