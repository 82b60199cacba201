"""What the parts of a model are called that a method may train. All roles but the denoiser's are text encoders."""

DENOISER = "denoiser"  # the network that removes noise
TEXT = "text"  # the first text encoder; further ones are text_2, text_3
