"""What exercises there are, found without running a line of them."""
