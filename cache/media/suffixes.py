"""File names of videos, for whoever only looks at names: no decoder is loaded here."""

VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".wmv", ".m4v", ".mpg", ".mpeg")
