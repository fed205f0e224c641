"""Pages and pictures of what was judged."""
