"""What is shown, worked out from bodies of objects: values in, values out."""
