"""What a page says to somebody whose browser runs its script."""

import re


def words_seen(page: str) -> list[str]:
    """Return the words, without times, addresses and names of rows."""
    body = re.sub(r"<noscript>.*?</noscript>", " ", page[page.index("<body") :], flags=re.DOTALL)
    return re.findall(r"[A-Za-z]{4,}", re.sub(r"<[^>]+>", " ", body))
