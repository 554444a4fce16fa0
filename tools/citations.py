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

    def citation(self, keys: list[str], *, in_text: bool) -> str:
        """A citation in a sentence, Simonyan et al. (2013), or in brackets, (Simonyan et al., 2013)."""
        form, parts = "{} ({})" if in_text else "{}, {}", []
        for key in keys:
            entry = self.entry(key)
            parts.append(self.linked(key, form.format(authors(entry), entry.fields["year"])))
        return ", ".join(parts) if in_text else f"({'; '.join(parts)})"

    def reference(self, key: str) -> str:
        """The entry's line in a list of references, as Markdown."""
        entry = self.entry(key)
        people = ", ".join(f"{plain(' '.join(p.first_names))} {surname(p)}" for p in entry.persons["author"])
        where = next((plain(entry.fields[k]) for k in ("journal", "booktitle", "publisher") if k in entry.fields), "")
        title = self.linked(key, plain(entry.fields["title"]))
        return f"- {people} ({entry.fields['year']}). {title}.{f' *{where}*.' if where else ''}"

    def linked(self, key: str, text: str) -> str:
        """Text as a link to the entry's DOI or URL, if it has one."""
        fields = self.entry(key).fields
        address = f"https://doi.org/{fields['doi']}" if "doi" in fields else fields.get("url")
        return f"[{text}]({address})" if address else text


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
