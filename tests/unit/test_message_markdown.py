"""Markdown of models: read as it is meant, and never as anything that acts."""

import pytest

from app.core.templating import formatted


def test_marks_are_read_and_lines_kept() -> None:
    html = formatted("# Title\n**Berlin**: dry\n`x`\n\n- one\n\n| a |\n|--:|\n| 1 |")
    assert html is not None
    for part in (
        '<p class="heading">Title</p>',
        "<strong>Berlin</strong>: dry<br",
        "<code>x</code>",
    ):
        assert part in html
    assert "<li>one</li>" in html
    assert "<td>1</td>" in html
    assert "style" not in html


@pytest.mark.parametrize(
    "text",
    [
        "**b** <script>alert(1)</script>",
        "**b** <img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,AA)",
        "[x](/logout) [y](//example.com) [z](?a=1)",
        "[x](http:logout) [y](https:/logout) [z](HTTP:?a=1) [v](https:///logout)",
        "![pixel](https://example.com/pixel.png)",
        "```html\n<script>\n```",
        "[x]: javascript:alert(1)\n\n[x] **b**",
    ],
)
def test_nothing_of_it_acts_or_is_fetched(text: str) -> None:
    html = formatted(text)
    assert html is not None
    assert "<script" not in html
    assert "<a " not in html
    assert "<img" not in html


def test_links_lead_to_other_sites_and_tell_them_nothing() -> None:
    html = formatted('[offer](https://example.com/"onclick=1)') or ""
    assert 'href="https://example.com/%22onclick=1"' in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_invisible_characters_are_named_also_here() -> None:
    assert "U+202E" in (formatted("**a\u202eb** `c\u200b`") or "")


def test_plain_and_very_long_texts_are_left_as_they_are() -> None:
    assert formatted("Seat 12-A costs 3 * 4 = 12.\nSee you_there.") is None
    assert formatted("**b** " * 10_000) is None


def test_short_rows_of_a_wide_table_are_not_made_into_a_huge_page() -> None:
    assert formatted("|" + "a|" * 100 + "\n|" + "-|" * 100 + "\n" + "|\n" * 4_000) is None
    assert "<td>1</td>" in (formatted("|a|b|\n|-|-|\n" + "|1|2|\n" * 500) or "")
