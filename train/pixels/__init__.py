"""The study of meteor pixels: labelled light curves of sessions, and every way tried to tell meteors in them."""
