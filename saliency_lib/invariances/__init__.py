"""What stays and what changes when something changes that no answer depends on?

changes      one question, described in two ways
questions    what each method answers, and under which changes its answer is proved to stand
table        every method under every change, measured
"""
