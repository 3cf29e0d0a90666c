"""Tests of the server deployment: the compose file, the image's steps, and the same processes run natively."""
