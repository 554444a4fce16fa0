"""The bibliography, as plain text: what a citation says and what a list of references says."""

from pathlib import Path

from pybtex.database import Entry, Person, parse_file

from tools.project import BookError


class Bibliography:
    """The entries of a BibTeX file."""

    def __init__(self, path: Path) -> None:
        self.entries = parse_file(str(path), bib_format="bibtex").entries

    def entry(self, key: str) -> Entry:
        """An entry by its key; raises BookError for an unknown one."""
        if key not in self.entries:
            raise BookError(f"the bibliography has no entry {key}.")
        return self.entries[key]

    def names(self, key: str) -> str:
        """The authors as a citation names them: one, two, or the first of many."""
        return authors(self.entry(key))

    def textual(self, key: str) -> str:
        """A citation that is part of a sentence, linked where there is an address: Simonyan et al. (2013)."""
        return self.linked(key, f"{self.names(key)} ({self.entry(key).fields['year']})")

    def parenthetical(self, keys: list[str]) -> str:
        """A citation in brackets: (Simonyan et al., 2013; Smilkov et al., 2017)."""
        parts = [self.linked(key, f"{self.names(key)}, {self.entry(key).fields['year']}") for key in keys]
        return f"({'; '.join(parts)})"

    def linked(self, key: str, text: str) -> str:
        """Text as a link to the entry's address, if it has one."""
        address = self.address(key)
        return f"[{text}]({address})" if address else text

    def address(self, key: str) -> str:
        """The entry's DOI or URL as an address; empty if it has neither."""
        fields = self.entry(key).fields
        return f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url", "")

    def reference(self, key: str) -> str:
        """The entry's line in a list of references, as Markdown."""
        entry = self.entry(key)
        people = ", ".join(f"{plain(' '.join(p.first_names))} {surname(p)}" for p in entry.persons["author"])
        where = next((plain(entry.fields[k]) for k in ("journal", "booktitle", "publisher") if k in entry.fields), "")
        title = self.linked(key, plain(entry.fields["title"]))
        return f"- {people} ({entry.fields['year']}). {title}.{f' *{where}*.' if where else ''}"


def authors(entry: Entry) -> str:
    """The authors of a work as a citation names them."""
    surnames = [surname(person) for person in entry.persons["author"]]
    return f"{surnames[0]} et al." if len(surnames) > 2 else " and ".join(surnames)


def surname(person: Person) -> str:
    """A person's last name, with its particles."""
    return plain(" ".join([*person.prelast_names, *person.last_names]))


def plain(text: str) -> str:
    """BibTeX's spelling as plain text; references.bib is Unicode, so only braces and dashes need resolving."""
    return text.replace("{", "").replace("}", "").replace("---", "—").replace("--", "–").replace("\\&", "&")
