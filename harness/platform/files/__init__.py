"""Files that are written whole, read within bounds, locked; stores and databases."""
