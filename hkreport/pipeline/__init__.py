"""Everything with side effects: running notebooks, rendering them, and the site around them."""
