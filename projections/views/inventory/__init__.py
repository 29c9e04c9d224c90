"""Stock: what there is of each SKU at each location, and what is locked."""
