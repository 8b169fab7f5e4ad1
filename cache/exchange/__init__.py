"""The coders' formats, out and back: intervals of videos in tiers, as files of ELAN, BORIS, Label Studio and others."""
