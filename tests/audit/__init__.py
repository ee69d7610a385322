"""Known weaknesses of what is pinned, from a list that lies here: `make audit`."""
