"""One struct per section of ``config.yaml``.

Every struct is frozen, strict and closed: an unknown key is an error. Units are in the key names.
A default stands only where a wrong guess cannot open a door: lock driver, pin, polarity and the
lock's behaviour without power have none. ``descriptions.py`` holds what editors show beside a key.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.config.door_lines import InputsConfig, SignalsConfig
from edged.config.fleet_section import FleetConfig
from edged.config.governor_section import GovernorConfig
from edged.config.home_assistant_section import HomeAssistantConfig
from edged.domain.risk import LEVELS, Level

Positive = Annotated[float, Meta(gt=0)]
Millis = Annotated[int, Meta(gt=0, le=3_600_000)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Port = Annotated[int, Meta(ge=1, le=65535)]
Slug = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
DEFAULT_LEVEL: Level = "normal"
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections."""


class V4l2Source(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="v4l2", tag_field="type"
):
    """A USB camera, best named by ``/dev/v4l/by-id/...`` since numbers move."""

    device: str
    width: Annotated[int, Meta(ge=160, le=7680)] = 1280
    height: Annotated[int, Meta(ge=120, le=4320)] = 720
    fps: Annotated[float, Meta(gt=0, le=240)] = 15.0
    fourcc: Annotated[str, Meta(pattern=r"^[A-Z0-9]{4}$")] = "MJPG"


class UrlSource(Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="url", tag_field="type"):
    """An ``rtsp://``, ``http://`` or ``https://`` stream. A password belongs into ``password_file``."""

    url: Annotated[str, Meta(pattern=r"^(rtsps?|https?)://")]
    username: str | None = None
    password_file: Path | None = None
    open_timeout_ms: Millis = 5000
    read_timeout_ms: Millis = 2500
    rtsp_transport: Literal["tcp", "udp"] = "tcp"


class FileSource(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="file", tag_field="type"
):
    """A video file, replayed at ``fps`` (default: the file's own)."""

    path: Path
    fps: Annotated[float, Meta(gt=0, le=240)] | None = None
    loop: bool = False


class FolderSource(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="folder", tag_field="type"
):
    """A folder of photographs in the order of their names; each is shown ``hold_frames`` times."""

    path: Path
    fps: Annotated[float, Meta(gt=0, le=240)] = 10.0
    hold_frames: Count = 1
    loop: bool = False


class CommandSource(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="command", tag_field="type"
):
    """A program that writes frames to its standard output, such as ``rpicam-vid`` or ``gst-launch-1.0``."""

    argv: Annotated[list[str], Meta(min_length=1)]
    format: Literal["mjpeg", "i420", "bgr"]
    width: Annotated[int, Meta(ge=16, le=7680)] | None = None
    height: Annotated[int, Meta(ge=16, le=4320)] | None = None


CameraSource = V4l2Source | UrlSource | FileSource | FolderSource | CommandSource


class CameraConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pictures come from, and when they count as missing."""

    source: CameraSource
    rotate: Literal[0, 90, 180, 270] = 0
    mirrored: bool = False
    max_frame_age_ms: Annotated[int, Meta(ge=50, le=2000)] = 500
    # From the start of opening: a CSI pipeline takes seconds to its first picture.
    first_frame_timeout_ms: Millis = 10_000
    no_frame_timeout_ms: Millis = 3000
    reconnect_min_ms: Millis = 500
    reconnect_max_ms: Millis = 4000
    frozen_after_frames: Count = 45
    blind_after_frames: Count = 30


class MotionConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The gate before detection. It fails towards detection."""

    enabled: bool = True
    changed_ratio: Annotated[float, Meta(gt=0, le=1)] = 0.002
    force_detection_ms: Millis = 2000
    idle_fps: Annotated[float, Meta(ge=1, le=240)] = 5.0


# What onnxruntime is built with for Linux boards; whether this build has one shows when a model is opened.
Provider = Literal[
    "CPUExecutionProvider", "XnnpackExecutionProvider", "ACLExecutionProvider", "ArmNNExecutionProvider",
    "OpenVINOExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider", "QNNExecutionProvider",
]  # fmt: skip


class ModelsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which packs are used and how onnxruntime runs them."""

    directory: Path = Path("var/models")
    detector: Slug = "starter"
    embedder: Slug = "starter"
    precision: Literal["auto", "float32", "int8"] = "auto"
    compile: Literal["auto", "off"] = "auto"
    threads: Annotated[int, Meta(ge=1, le=64)] | Literal["auto"] = "auto"
    profile: Literal["auto", "off"] = "auto"
    providers: Annotated[tuple[Provider, ...], Meta(min_length=1)] = ("CPUExecutionProvider",)
    detection_threshold: Ratio = 0.6
    whole_search_every: Annotated[int, Meta(ge=1, le=5)] = 3


class QualityConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The floor below which a face is neither enrolled nor matched."""

    min_face_px: Positive = 60
    min_eye_px: Positive = 22
    min_sharpness: Annotated[float, Meta(ge=0)] = 25
    min_brightness: Annotated[float, Meta(ge=0, le=255)] = 35
    max_brightness: Annotated[float, Meta(ge=0, le=255)] = 235
    max_yaw_degrees: Annotated[float, Meta(gt=0, le=90)] = 40
    max_pitch_degrees: Annotated[float, Meta(gt=0, le=90)] = 40
    max_roll_degrees: Annotated[float, Meta(gt=0, le=180)] = 45


class SecurityConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The stated risk: the chance that one visit of a stranger opens the door.

    Either a ``level`` or its number, ``target_fpir``; with neither the level is ``normal``. The cosine
    threshold follows from it, from ``frames_per_visit``, the size of the gallery and the calibration.
    """

    level: Level | None = None
    target_fpir: Annotated[float, Meta(gt=0, le=0.1)] | None = None
    # A second and a half at ten frames a second. A person who may enter is let in after three frames.
    frames_per_visit: Annotated[int, Meta(ge=1, le=10_000)] = 15

    def __post_init__(self) -> None:
        if self.level is None and self.target_fpir is None:
            msgspec.structs.force_setattr(self, "level", DEFAULT_LEVEL)

    @property
    def fpir(self) -> float:
        """The risk as a number."""
        return LEVELS[self.level or DEFAULT_LEVEL] if self.target_fpir is None else self.target_fpir


class DecisionConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it takes to be let in, beside the score."""

    armed: bool = True
    confirm_frames: Annotated[int, Meta(ge=1, le=50)] = 3
    window_frames: Annotated[int, Meta(ge=1, le=50)] = 5
    min_margin: Annotated[float, Meta(ge=0, le=1)] = 0.06
    cooldown_seconds: Annotated[float, Meta(ge=0, le=3600)] = 10.0
    absence_seconds: Annotated[float, Meta(gt=0, le=60)] = 1.0
    evidence_seconds: Annotated[float, Meta(gt=0, le=10)] = 2.0
    # Five wrong tries and half a minute, as phones and PIN pads have it. At most five minutes: whoever
    # stands outside must not be able to shut the door for those who belong here.
    max_attempts: Annotated[int, Meta(ge=0, le=100)] = 5
    attempts_window_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    attempts_delay_seconds: Annotated[float, Meta(gt=0, le=300)] = 30.0


class LivenessConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a face is alive. A deterrent against photographs and screens, no guarantee.

    Off unless asked for: the starter pack has no liveness networks, the cues that need none let one drawn
    attack in five pass (``edged eval liveness``), and whom they would turn away only a test there can tell.
    """

    mode: Literal["required", "advisory", "off"] = "off"
    pack: Slug | None = None
    cues: tuple[Literal["border", "screen", "parallax"], ...] = ("border", "screen", "parallax")
    threshold: Ratio = 0.5
    challenge: Literal["off", "turn"] = "off"
    # A film that turns its head anyhow is right by chance once in 2^turns.
    challenge_turns: Annotated[int, Meta(ge=1, le=5)] = 2
    # A second to read and one to turn; the rest is for who does not expect it.
    challenge_seconds: Annotated[float, Meta(ge=2, le=30)] = 6.0
    # Cues and both networks take 35 ms of one x86-64 core; a hot small board may need ten times that.
    timeout_ms: Millis = 400


class SecondFactorConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What else is asked of somebody whom a face alone does not let in. Off unless asked for.

    ``max_wrong`` is no more than the tries that the figures of ``domain.calibration`` are made for.
    """

    enabled: bool = False
    ask: Annotated[tuple[Literal["lookalike", "risk", "liveness", "always"], ...], Meta(min_length=1)] = (
        "lookalike",
        "liveness",
    )
    accept: Annotated[tuple[Literal["pin", "badge"], ...], Meta(min_length=1)] = ("pin", "badge")
    # Six digits are typed in some three seconds; the rest is for finding the badge.
    wait_seconds: Annotated[float, Meta(ge=1, le=60)] = 15.0
    liveness_band: Annotated[float, Meta(gt=0, le=0.3)] = 0.15
    max_wrong: Annotated[int, Meta(ge=1, le=6)] = 3
    max_door_wrong: Annotated[int, Meta(ge=1, le=100)] = 10
    lockout_seconds: Annotated[float, Meta(ge=10, le=86_400)] = 300.0
    socket_path: Path = Path("var/second-factor.sock")
    socket_users: tuple[Slug, ...] = ()
    socket_group: Slug | None = None
    mqtt_key_file: Path | None = None


class Period(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days and hours, in the door's own time zone. ``to`` before ``from`` runs past midnight."""

    days: Annotated[list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]], Meta(min_length=1)]
    start: TimeOfDay = msgspec.field(name="from")
    end: TimeOfDay = msgspec.field(name="to")


class AccessConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which groups may enter when. Empty: every enrolled, enabled person at any time."""

    time_zone: str = "local"
    schedules: dict[Slug, list[Period]] = {}
    groups: dict[Slug, list[Slug]] = {}


class FakeLockConfig(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="fake", tag_field="driver"
):
    """A lock that only records; ``trace_path`` receives one JSON line a change."""

    trace_path: Path | None = None


class GpiodLockConfig(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="gpiod", tag_field="driver"
):
    """A line of a GPIO chip through libgpiod: Raspberry Pi and Jetson alike."""

    chip: str
    line: str | Annotated[int, Meta(ge=0)]
    active: Literal["high", "low"]
    power: Literal["fail_secure", "fail_safe"]


class GpiozeroLockConfig(
    Section, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="gpiozero", tag_field="driver"
):
    """A BCM pin of a Raspberry Pi through gpiozero; active-high relays only."""

    pin: str | Annotated[int, Meta(ge=0)]
    active: Literal["high", "low"]
    power: Literal["fail_secure", "fail_safe"]


LockConfig = FakeLockConfig | GpiodLockConfig | GpiozeroLockConfig


class DoorConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lock and its pulse."""

    lock: LockConfig
    unlock_seconds: Annotated[float, Meta(gt=0, le=60)] = 3.0
    max_unlock_seconds: Annotated[float, Meta(gt=0, le=300)] = 10.0
    max_grant_age_ms: Annotated[int, Meta(ge=50, le=10_000)] = 1000
    # Per ten seconds. Nobody walks that fast; what asks more often has gone wrong.
    max_requests: Annotated[int, Meta(ge=1, le=1000)] = 20
    max_unlocked_share: Annotated[float, Meta(gt=0, le=1)] = 0.75
    socket: Path | None = None
    socket_users: tuple[str, ...] = ("edged",)
    inputs: InputsConfig = InputsConfig()
    signals: SignalsConfig = SignalsConfig()


class AttendanceConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The clock. Off unless asked for: access and attendance are separate purposes."""

    enabled: bool = False
    direction: Literal["in", "out", "toggle"] = "in"
    double_punch_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 60.0


class MqttTlsConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TLS to the broker; a certificate and its key make it mutual."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class MqttConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The broker. ``enabled: false`` keeps events in the journal alone."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    client_id: str | None = None
    username: str | None = None
    password_file: Path | None = None
    tls: MqttTlsConfig | None = None
    topic_prefix: Annotated[str, Meta(pattern=r"^[^+#\x00/][^+#\x00]*$")] = "edged"
    keepalive_seconds: Annotated[int, Meta(ge=2, le=3600)] = 15
    max_in_flight: Annotated[int, Meta(ge=1, le=64)] = 16
    app_ack: bool = False
    app_ack_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    # A broker that does not allow a subscription may end the connection for it.
    replay: bool = False
    reconnect_min_seconds: Annotated[float, Meta(gt=0, le=600)] = 1.0
    reconnect_max_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    person_names: bool = False


class JournalConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events on disk. ``on_failure`` decides what a dead disk means for the door."""

    path: Path = Path("var/journal.db")
    on_failure: Literal["deny", "open"] = "deny"
    record_first_ms: Annotated[int, Meta(ge=1, le=1000)] = 50
    max_rows: Annotated[int, Meta(ge=1000)] = 1_000_000
    # What so many rows of one KiB take; a card of a small board holds 16 times as much.
    max_megabytes: Annotated[int, Meta(ge=2, le=1_000_000)] = 1000


class GalleryConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enrolled people on disk, encrypted under the key of ``key_file``."""

    path: Path = Path("var/people.db")
    key_file: Path = Path("var/vault.key")
    max_similar_score: Ratio | None = None
    # Three days: a wrong name of Friday evening can still be corrected on Monday morning.
    probe_hours: Annotated[float, Meta(ge=0, le=720)] = 72.0
    poll_seconds: Annotated[float, Meta(gt=0, le=3600)] = 1.0
    # Backups and a restart of the store are over by then; a removal must not wait for ever.
    max_unread_seconds: Annotated[float, Meta(ge=10, le=86400)] | None = 900.0


class HttpConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``/metrics``, ``/healthz`` and ``/readyz``."""

    enabled: bool = True
    address: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 9477


class LoggingConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of ``config.yaml``."""

    site: Slug
    door_id: Slug
    camera: CameraConfig
    door: DoorConfig
    models: ModelsConfig = ModelsConfig()
    motion: MotionConfig = MotionConfig()
    governor: GovernorConfig = GovernorConfig()
    quality: QualityConfig = QualityConfig()
    security: SecurityConfig = SecurityConfig()
    decision: DecisionConfig = DecisionConfig()
    liveness: LivenessConfig = LivenessConfig()
    second_factor: SecondFactorConfig = SecondFactorConfig()
    access: AccessConfig = AccessConfig()
    attendance: AttendanceConfig = AttendanceConfig()
    mqtt: MqttConfig = MqttConfig()
    home_assistant: HomeAssistantConfig = HomeAssistantConfig()
    journal: JournalConfig = JournalConfig()
    gallery: GalleryConfig = GalleryConfig()
    fleet: FleetConfig = FleetConfig()
    http: HttpConfig = HttpConfig()
    logging: LoggingConfig = LoggingConfig()
