"""Makes a judge's probabilities mean what they say: fits on people's labels, and thresholds that keep a stated agreement."""
