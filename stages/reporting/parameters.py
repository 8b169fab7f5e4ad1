"""The section `report` of the parameters: which faces a report may show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReportParameters:
    """Faces on the page.

    Attributes:
        thumbnails: whether faces are shown at all, contact sheets among them.
        picture_size: pixels of a picture's longer side.
        picture_quality: of the JPEG, 1 to 100.
        pictures_between: of a case, besides onset, apex and offset.
        sheet_faces: of each contact sheet; 0 makes none.
    """

    thumbnails: bool
    picture_size: int
    picture_quality: int
    pictures_between: int
    sheet_faces: int

    def __post_init__(self) -> None:
        """Raise ValueError for a value out of range."""
        bounds = {
            "picture_size": (16, 512),
            "picture_quality": (1, 100),
            "pictures_between": (0, 20),
            "sheet_faces": (0, 1000),
        }
        for name, (least, most) in bounds.items():
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is {getattr(self, name)}, expected {least} to {most}")
