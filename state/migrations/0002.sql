-- Small values decide much: a flipped bit in the key of the digests would make every secret look changed.
-- Without a checksum: written by version 1.
ALTER TABLE meta ADD COLUMN checksum INTEGER;
