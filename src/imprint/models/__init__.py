"""What the network is: encode, decode, condition, denoise, generate."""
