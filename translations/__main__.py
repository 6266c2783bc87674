"""Bring the catalogues in ``locale/`` up to date: python -m translations [new language codes]."""

import sys

from translations import catalogues, extraction, scope


def main(new: list[str]) -> int:
    """Extract, update and compile; 0 if every message is translated in every language."""
    template = extraction.template_catalog()
    result = 0
    for language in sorted({*scope.languages(), *new}):
        missing = catalogues.bring_up_to_date(language, template)
        print(f"{language}: {len(template) - len(missing)} of {len(template)} messages translated")
        for message in missing:
            result = 1
            print(f"  {message!r}")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
