"""How text, tables, trees, pictures, pages and JUnit files are laid out, whatever is in them."""
