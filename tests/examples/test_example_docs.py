"""Finding the HTML: the real package, and a clear word when there is none."""

from pathlib import Path

import pytest

from examples import docs


def test_the_installed_documentation_has_a_few_hundred_pages() -> None:
    root = docs.find_docs()
    pages = docs.list_pages(root)
    assert len(pages) >= docs.FEWEST_PAGES
    assert "index.html" in pages
    assert list(pages) == sorted(set(pages))


def test_the_first_pattern_with_enough_pages_wins(tmp_path: Path) -> None:
    for name, count in (("a-few", 3), ("b-many", docs.FEWEST_PAGES), ("c-more", docs.FEWEST_PAGES + 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.html").touch()
        (tmp_path / name / "index.html").touch()
    assert docs.find_docs([f"{tmp_path}/nothing", f"{tmp_path}/*"]) == tmp_path / "b-many"


def test_missing_documentation_names_the_package_to_install(tmp_path: Path) -> None:
    with pytest.raises(docs.DocsMissingError, match="apt-get install python3-doc"):
        docs.find_docs([f"{tmp_path}/*"])
