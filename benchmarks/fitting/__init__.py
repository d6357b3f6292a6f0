"""Where the fitted numbers of the profiles come from: counted instructions and published latencies. `pixie fit` writes them, the gates `model.*` judge them."""
