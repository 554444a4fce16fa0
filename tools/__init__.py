"""The workshop of the book: everything that turns chapters into pages, and nothing that a chapter calls."""
