"""A report of measurements as one HTML file: own small SVG plots, no scripts, nothing from outside."""
