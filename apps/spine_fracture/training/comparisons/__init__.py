"""Many systems judged alike: runs, folds, and the tables made from them."""
