"""What is decided about mail, without any I/O: facts in, values out."""
