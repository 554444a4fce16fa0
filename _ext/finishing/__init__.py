"""What is done to finished pages, one subject a module; `pages` calls them."""
