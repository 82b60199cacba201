"""Which pictures: decoding, captions, crops, order, prior pictures, caches."""
