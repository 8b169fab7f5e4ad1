"""The 68 points of OpenFace as points of MediaPipe's face mesh, and an average face made of them.

Ours, not OpenFace's: the symmetric average of six people's meshes (equal weight, fitted to each other by the rigid
points), scaled and turned so that its eyes lie where aligned faces have them. Meshes have their middle elsewhere than
OpenFace's landmarks: the whole was shifted by (-0.35, -1.45) mm, the mean difference over three further people.
"""

from __future__ import annotations

import numpy as np

# Point of the mesh; x to the right and y down, in millimetres from the middle of the aligned face. From cheek to cheek
# (17), brows (10), bridge and base of the nose (9), eyes (12), lips (20).
# fmt: off
_POINTS = (
    (162, -70.88, -48.08), (234, -71.00, -17.53), (93, -70.16, -2.72), (58, -63.48, 29.84),
    (172, -56.91, 43.04), (136, -49.45, 52.52), (149, -31.86, 66.99), (148, -12.86, 76.06),
    (152, 0.47, 77.28), (377, 13.78, 75.85), (378, 32.64, 66.50), (365, 50.01, 51.77),
    (397, 57.32, 42.17), (288, 63.69, 28.87), (323, 69.87, -3.79), (454, 70.49, -18.61),
    (389, 69.90, -49.15), (71, -63.25, -57.49), (63, -52.52, -61.58), (105, -42.76, -65.45),
    (66, -30.09, -65.65), (107, -15.58, -64.49), (336, 14.36, -64.72), (296, 28.86, -66.10),
    (334, 41.52, -66.09), (293, 51.35, -62.37), (301, 62.14, -58.44), (168, -0.47, -46.28),
    (197, -0.35, -31.34), (5, -0.25, -17.78), (4, -0.18, -8.96), (75, -14.37, 1.56),
    (97, -8.39, 5.49), (2, -0.07, 5.41), (326, 8.25, 5.37), (305, 14.16, 1.35),
    (33, -46.90, -39.48), (160, -39.61, -43.16), (158, -28.85, -43.91), (133, -18.31, -38.81),
    (153, -27.67, -36.49), (144, -38.33, -36.56), (362, 17.49, -39.09), (385, 27.94, -44.34),
    (387, 38.71, -43.76), (263, 46.06, -40.19), (373, 37.53, -37.14), (380, 26.88, -36.90),
    (61, -29.55, 28.53), (39, -17.54, 21.19), (37, -8.65, 19.19), (0, 0.04, 20.20),
    (267, 8.71, 19.06), (269, 17.63, 20.92), (291, 29.75, 28.07), (405, 16.74, 40.48),
    (314, 9.12, 43.50), (17, 0.22, 44.40), (84, -8.69, 43.63), (181, -16.35, 40.73),
    (78, -25.56, 28.19), (82, -6.76, 26.57), (13, 0.09, 26.78), (312, 6.94, 26.46),
    (308, 25.76, 27.80), (317, 7.39, 33.67), (14, 0.14, 34.12), (87, -7.11, 33.78),
)
# fmt: on
LANDMARKS = np.array([point for point, _, _ in _POINTS])
MEAN_SHAPE = np.array([(x, y) for _, x, y in _POINTS])
