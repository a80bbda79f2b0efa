"""Images: files and arrays in, batches of pixels, views and encoders out."""
