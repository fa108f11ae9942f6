"""One graph in, one format out: what a run leaves behind for people and for other programs."""
