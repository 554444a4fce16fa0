"""A course from the book: notebooks for students and teachers, graded assignments, slides, editions."""
