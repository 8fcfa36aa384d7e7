"""What a label of a metric may say: closed sets, so that the number of series is the same for ever."""

from edged.domain.governor import Pressure
from edged.domain.liveness import Cue, LivenessMode

STAGES = (
    "motion", "detect", "track", "align", "quality", "embed", "match", "liveness", "decide", "journal",
    "actuate",
)  # fmt: skip
FRAME_RESULTS = ("captured", "skipped", "replaced", "stale", "idle", "shed", "processed")
ACK_RESULTS = ("taken", "unknown", "retained", "malformed", "oversized")
REPLAY_RESULTS = ("taken", "busy", "epoch", "failed", "repeated", "retained", "malformed", "oversized")
REPLAYED_RESULTS = ("delivered", "nobody", "refused", "unsendable")
PUBLISH_RESULTS = ("delivered", "nobody", "refused", "oversized", "failed")
LOCK_CAUSES = ("face", "test", "exit", "command")
LOCK_REFUSALS = (
    "stale", "queue_full", "stopping", "line_failed", "away", "rate_limited", "unlocked_too_much",
    "emergency", "reader_gone", "locked_down", "catching_up",
)  # fmt: skip
# Every type of alarm that the journal knows; a type that is missing here counts as "other".
ALARMS = (
    "forced_open", "held_open_soon", "held_open", "emergency", "reset_refused", "tamper", "input_fault",
    "line_failed", "relocked_late", "lock_aborted", "door_disk", "request_flood", "events_lost",
    "door_hung", "guard_gone", "not_live", "too_many_attempts", "camera_up", "camera_down", "camera_frozen",
    "camera_blind", "gallery_refused", "gallery_stale", "gallery_lapsed", "gallery_disk", "denial_unstored",
    "probes_not_erased",
    "command_dropped", "disk_full", "disk_space_back", "events_held", "other",
)  # fmt: skip
DOOR_PARTS = ("exit", "contact", "fire", "tamper", "reset", "guard")
DOOR_CONDITIONS = ("locked", "granted", "open", "held", "forced", "emergency")
COMMAND_RESULTS = (
    "done", "failed", "retained", "oversized", "malformed", "unknown_key", "signature", "wrong_door",
    "not_allowed", "key_expired", "nonce", "counter", "expired", "refused",
)  # fmt: skip
# What `fleet.trust`, `membership.gates` and `membership.update` may say of a gallery.
FLEET_RESULTS = (
    "unchanged", "applied", "rollback", "mix_and_match", "signatures", "expired", "mismatch", "too_long",
    "missing", "malformed", "wrong_group", "wrong_space", "wrong_key", "altered", "damaged", "gate_count",
    "gate_repeated", "gate_place", "gate_vector", "gate_shrink", "gate_collision", "disk",
)  # fmt: skip
LIVENESS_MODES = tuple(mode.value for mode in LivenessMode)
LIVENESS_FAILURES = ("error", "not_finite", "timeout")
# What each cue alone would say, and what they say together.
LIVENESS_SCORES = (*(cue.value for cue in Cue), "face")
FACTOR_REJECTIONS = (
    "peer", "malformed", "too_many", "unknown", "retained", "duplicate", "forged", "shut",
)  # fmt: skip
PRESSURES = tuple(pressure.value for pressure in Pressure)
CAMERA_FAULTS = ("open", "timeout", "ended", "frozen", "blind", "format")
# Where an event was dropped for good: kept back in memory for a journal that failed until there was no room,
# or by the door process: too many waited for a daemon, or lines of its file were damaged.
DROPPED = ("journal_failed", "door_process")
