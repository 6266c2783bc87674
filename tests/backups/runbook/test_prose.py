"""Staff's markdown: commands stay as they were typed, and nothing of it runs."""

import pytest

from backups.runbook.prose import as_html


def test_keeps_commands_letter_by_letter() -> None:
    made = as_html('```\ncurl https://x.example < in && echo "a"\n```\n\nor `a<b`')

    assert '<pre><code>curl https://x.example &lt; in &amp;&amp; echo "a"\n</code></pre>' in made
    assert "<code>a&lt;b</code>" in made


def test_knows_tables_lists_links_and_makes_headings_bold() -> None:
    made = as_html("# Who\n\n- Anna\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nhttps://x.example/a.")

    assert "<p><strong>Who</strong></p>" in made
    assert "<li>Anna</li>" in made
    assert "<td>1</td>" in made
    assert '<a href="https://x.example/a" rel="nofollow noopener">https://x.example/a</a>.' in made


@pytest.mark.parametrize(
    "typed",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,a)",
        "`x`<svg onload=alert(1)>",
    ],
)
def test_lets_nothing_run(typed: str) -> None:
    made = as_html(typed)

    assert "<script" not in made
    assert "<img" not in made
    assert "<svg" not in made
    assert "javascript:" not in made
    assert "data:" not in made


def test_takes_no_time_over_brackets() -> None:
    assert as_html("[" * 20_000).count("[") == 20_000
