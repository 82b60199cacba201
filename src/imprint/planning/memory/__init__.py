"""How much memory a training needs, told before it begins."""
