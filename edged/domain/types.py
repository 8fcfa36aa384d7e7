"""The values that travel from a frame to an event.

All are immutable. Arrays are made read-only where they are shared between threads. Times named ``*_at``
are seconds on the monotonic clock unless the docstring says otherwise; pixels are of the full frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.domain.second_factor import AskedFactor

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]
# A picture is (H, W, 3), blue, green, red, unless its place says otherwise.
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture: ``image`` (H, W, 3) uint8 BGR; ``captured_at`` monotonic seconds at arrival."""

    seq: int
    captured_at: float
    image: Image


@dataclass(frozen=True, slots=True)
class Box:
    """Axis-aligned box in pixels: top-left corner, width and height; may reach outside the picture."""

    x: float
    y: float
    width: float
    height: float

    @property
    def area(self) -> float:
        """Square pixels."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in pixels."""
        return self.x + self.width / 2, self.y + self.height / 2

    def iou(self, other: "Box") -> float:
        """Intersection over union with ``other``, 0..1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A detected face.

    ``landmarks`` (5, 2) float32 pixels: the eye on the picture's left, the eye on its right, nose,
    mouth corner on the left, mouth corner on the right (the order of the ArcFace template).
    ``score`` is the detector's confidence 0..1.
    """

    box: Box
    landmarks: FloatArray
    score: float

    @property
    def eye_distance(self) -> float:
        """Distance between the eye landmarks in pixels."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))


@dataclass(frozen=True, slots=True)
class Quality:
    """How usable a face is; ``score`` 0..1 is the share of its likeness that such a picture keeps on average.

    That is its expected cosine to the person's centroid by that of a good photograph. ``flaw`` names the
    configured limit that is missed, else the weakest part; empty where nothing is lost. The limits alone say
    whether a face is used: the score is a weight, and what the best frames are chosen by.

    ``face_px`` box width; ``eye_px`` eye distance; ``sharpness`` variance of the Laplacian on the
    aligned 112x112 grey face; ``brightness`` its mean 0..255; ``yaw``, ``pitch``, ``roll`` degrees
    estimated from the landmarks.
    """

    score: float
    face_px: float
    eye_px: float
    sharpness: float
    brightness: float
    yaw: float
    pitch: float
    roll: float
    flaw: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The two nearest people of a gallery: ids or None, cosines -1..1.

    With one person enrolled ``second_id`` is None and ``second_score`` -1.
    With an empty gallery ``person_id`` is None and both scores are -1.
    ``veto_score`` is the cosine to the nearest face that was taken for the nearest person wrongly, None
    where nobody was.
    """

    person_id: str | None
    score: float
    second_id: str | None
    second_score: float
    veto_score: float | None = None

    @property
    def margin(self) -> float:
        """Cosine distance between the nearest person and the runner-up."""
        return self.score - self.second_score


@dataclass(frozen=True, slots=True)
class Observation:
    """What one frame tells about one track. ``liveness`` 0..1, None where it was not measured.

    ``match`` is None where the face was not embedded (its quality was too low to try). ``vector`` (D,)
    float32 unit length is what was matched; without it the frame has no part in the mean of its track.
    """

    track_id: int
    frame_seq: int
    captured_at: float
    box: Box
    quality: Quality
    match: Match | None
    liveness: float | None = None
    vector: FloatArray | None = field(default=None, compare=False, repr=False)


class Outcome(StrEnum):
    """What a step of the decision engine asks for."""

    WAIT = "wait"
    ASK = "needs_second_factor"
    GRANT = "granted"
    DENY = "denied"


class Reason(StrEnum):
    """Why; the closed set of labels in metrics and on the wire."""

    MATCHED = "matched"
    COLLECTING = "collecting"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    VETOED = "vetoed"
    LOW_QUALITY = "low_quality"
    NOT_LIVE = "not_live"
    CHALLENGE_UNANSWERED = "challenge_unanswered"
    CHALLENGE_WRONG = "challenge_wrong"
    CHALLENGE_BROKEN = "challenge_broken"
    CHALLENGE_BLOCKED = "challenge_blocked"
    DISABLED = "disabled"
    OUTSIDE_SCHEDULE = "outside_schedule"
    COOLING_DOWN = "cooling_down"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    STALE = "stale"
    DISARMED = "disarmed"
    STORE_FAILED = "store_failed"
    DOOR_REFUSED = "door_refused"
    NO_SECOND_FACTOR = "no_second_factor"
    SECOND_FACTOR_UNANSWERED = "second_factor_unanswered"
    SECOND_FACTOR_WRONG = "second_factor_wrong"
    SECOND_FACTOR_LOCKED_OUT = "second_factor_locked_out"
    SECOND_FACTOR_FAILED = "second_factor_failed"


@dataclass(frozen=True, slots=True)
class Gate:
    """One check of a decision: its name, the value seen, the limit it was held against, the result.

    ``who`` is the id of whom the value is about, where that is not the decision's person. It stays on the
    device, as the trace does: somebody whom a face came near is nobody who was there.
    """

    name: str
    value: float | str | None
    limit: float | str | None
    passed: bool
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer of one step.

    ``first_seen_at`` is when the track's first usable face was captured; ``freshest_at`` when the
    newest frame behind the decision was captured (monotonic seconds). ``factor`` is None where no second
    factor was asked for.
    """

    outcome: Outcome
    reason: Reason
    track_id: int
    person_id: str | None = None
    score: float = -1.0
    margin: float = 0.0
    frames: int = 0
    quality: float = 0.0
    liveness: float | None = None
    first_seen_at: float = 0.0
    freshest_at: float = 0.0
    trace: tuple[Gate, ...] = ()
    factor: AskedFactor | None = None


class EventKind(StrEnum):
    """The families of journal rows; each has its own topic below ``event/``."""

    ACCESS = "access"
    ATTENDANCE = "attendance"
    DOOR = "door"
    ALARM = "alarm"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened at the door, before it is stored.

    ``event_id`` is a ULID; ``occurred_at`` Unix seconds UTC; ``monotonic_at`` seconds on this boot's
    clock; ``boot_id`` names the process start; ``body`` holds JSON values only and never a name;
    ``trace`` stays on the device.
    """

    event_id: str
    kind: EventKind
    occurred_at: float
    monotonic_at: float
    boot_id: str
    time_synced: bool
    person_id: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    trace: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the journal.

    Random ``epoch`` of the database, gapless ``seq`` from 1,
    ``digest`` hex SHA-256 of the row chained to the row before. ``corrected_at`` Unix seconds, where the
    clock was not right at the time and became known later (see ``clock_correction``); no part of the row.
    """

    epoch: str
    seq: int
    event: Event
    digest: str
    corrected_at: float | None = None

    @property
    def happened_at(self) -> float:
        """Unix seconds, as well as they are known by now."""
        return self.event.occurred_at if self.corrected_at is None else self.corrected_at
