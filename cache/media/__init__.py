"""Images, folders of images, and video files."""
