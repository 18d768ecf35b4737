"""The benchmark of the whole package, side by side with its peers: ``make bench``."""
