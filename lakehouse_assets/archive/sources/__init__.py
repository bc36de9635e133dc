"""Places that files come from: folders, object stores, web servers, zip and tar files."""
