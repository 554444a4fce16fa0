"""Anything long: resumed after any interruption, shared among processes, nothing lost.

run          all of a run that is not done yet
records      its results on disk
processes    the processes that share it
"""
