"""What the five points of a rating are called, lowest first."""

POINT_NAMES = {
    "valence": ("very negative", "negative", "neutral", "positive", "very positive"),
    "activation": ("very low", "low", "medium", "high", "very high"),
}
