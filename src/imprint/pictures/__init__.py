"""Generated pictures: how each is made (Recipe), where it is kept (PictureStore), and the loop that generates them."""
