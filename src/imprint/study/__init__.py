"""Does synthetic data help? Learners on real photos, with and without other pictures, tested on photos apart."""
