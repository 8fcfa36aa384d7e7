"""The broker: what ``edged mqtt check`` finds."""

from edged.config.sections import FakeLockConfig
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.fleet.topics import Topics
from edged.fleet.trial import Trial, try_broker


def broker(patient: Patient) -> Finding:
    """Connect with a client id of its own, and publish one message that is no event."""
    config = patient.config
    if not config.mqtt.enabled:
        return Finding(State.NOT_APPLICABLE, "mqtt.enabled is false: events stay in the journal")
    topics = Topics(config.mqtt.topic_prefix, config.site, config.door_id)
    trial = try_broker(config.mqtt, topics, f"edged-{config.site}-{config.door_id}")
    return _judged(trial, desk=isinstance(config.door.lock, FakeLockConfig))


def _judged(trial: Trial, *, desk: bool) -> Finding:
    facts: dict[str, object] = {
        "address": trial.address, "version": trial.version, "max_packet_bytes": trial.max_packet_bytes,
        "receive_maximum": trial.receive_maximum, "event": trial.event, "weaker": list(trial.weaker),
    }  # fmt: skip
    if trial.trouble is not None:
        detail = f"{trial.address}: {trial.trouble}; events are kept until it takes them"
        # At a desk the broker comes and goes with the demo.
        return Finding(State.WARNING if desk else State.FAILED, detail, facts)
    if not trial.ok:
        detail = f"{trial.address} does not take events: {trial.event_detail}; see its access rules"
        return Finding(State.FAILED, detail, facts)
    seen = f"{trial.address} takes events by MQTT {trial.version}"
    amiss = list(trial.weaker)
    if trial.event == "unheard":
        amiss.insert(0, "Nobody listens to them: they are kept until somebody does.")
    if amiss:
        return Finding(State.WARNING, f"{seen}. {' '.join(amiss)}", facts)
    return Finding(State.OK, seen, facts)
