"""Tests in a browser. All of them that one worker runs share a browser and the servers of notebooks."""
