"""Anything long: resumed after any interruption, shared among processes, nothing lost, or computed once and kept.

run          all of a run that is not done yet
records      its results on disk
processes    the processes that share it

stored       what a chapter reads, because it takes minutes
"""
