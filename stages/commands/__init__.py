"""What people type besides the stages."""
