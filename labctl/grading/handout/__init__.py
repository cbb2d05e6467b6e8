"""What a student gets: starter files, the lab's README, which lab it is, and workflows that grade it."""
