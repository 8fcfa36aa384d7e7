"""People who do not exist: random directions, some templates each, as far apart as strangers are."""

import numpy as np

from edged.domain.calibration import CalibrationPoint
from edged.fleet.gallery_format import PersonRecord, TemplateRecord, quantised

SPACE = "simulation/1"
DIMENSION = 512
TEMPLATES = 3
# How far apart the photographs of one person lie: a cosine of 0.9 to their own centre.
_SPREAD = 0.02
# Strangers' cosines have a deviation of 1/sqrt(512), so none of a million reaches these. So many comparisons
# carry the risk for ten thousand people: a door that nobody may enter would have less to do.
CALIBRATION = tuple(
    CalibrationPoint(fmr=rate, threshold=cosine, comparisons=10**10)
    for rate, cosine in ((1e-3, 0.15), (1e-4, 0.18), (1e-5, 0.21), (1e-6, 0.24), (1e-7, 0.27))
)


def crowd(people: int, seed: int = 0) -> list[PersonRecord]:
    """Return so many people with three templates each."""
    random = np.random.default_rng(seed)
    return [somebody(random, f"p-{number:06}") for number in range(people)]


def somebody(random: np.random.Generator, person_id: str) -> PersonRecord:
    """Return one person."""
    centre = random.standard_normal(DIMENSION)
    centre /= np.linalg.norm(centre)
    faces = centre + _SPREAD * random.standard_normal((TEMPLATES, DIMENSION))
    faces = (faces / np.linalg.norm(faces, axis=1, keepdims=True)).astype(np.float32)
    templates = [TemplateRecord(codes=quantised(face), quality=0.8) for face in faces]
    return PersonRecord(id=person_id, templates=templates)
