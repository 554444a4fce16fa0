"""Was that right? The answers to the book's exercises, checked without being shown: one file a chapter."""
