"""How far each of several judges may be believed, and what they come to together: numbers alone, no text, no file, no model."""
