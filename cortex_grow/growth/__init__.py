"""Growth: from seeds to a graph, best first, within a budget."""
