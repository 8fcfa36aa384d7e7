"""A whole fleet on one machine: real doors without camera, models and lock; real broker and publisher."""
