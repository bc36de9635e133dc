"""What nobody needs any more in the datasets of a lake: which files these are, and how they are deleted safely."""
