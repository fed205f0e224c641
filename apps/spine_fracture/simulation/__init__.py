"""The phantom spine, the series sampled from it, and the lesions put into it or into a real picture."""
