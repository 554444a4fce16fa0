"""Pictures that have a name. One file a set."""
