"""The certificates for the broker: how long they hold. One that has run out keeps the door offline."""

from pathlib import Path

from cryptography import x509

from edged.config.sections import MqttTlsConfig
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.errors import ConfigError
from edged.fleet.tls import tls_context

# Whoever renews by hand gets a month; what renews by itself does so a third before the end, of 90 days.
_SOON_DAYS = 30
_DAY = 86_400


def certificates(patient: Patient) -> Finding:
    """Read client certificate and authorities, and try them with the key."""
    tls = patient.config.mqtt.tls if patient.config.mqtt.enabled else None
    if tls is None:
        return Finding(State.NOT_APPLICABLE, "mqtt.tls is not set")
    tls_context(tls)  # raises where a file cannot be used, or a key is another certificate's
    found = {f"{key} ({one.subject.rfc4514_string()})": one for key, one in _all(tls)}
    days = {name: (one.not_valid_after_utc.timestamp() - patient.now) / _DAY for name, one in found.items()}
    early = [name for name, one in found.items() if one.not_valid_before_utc.timestamp() > patient.now]
    facts: dict[str, object] = {"days_left": {name: round(left, 1) for name, left in days.items()}}
    if early:
        return Finding(State.FAILED, f"{', '.join(early)}: not valid yet; is the clock right?", facts)
    if not days:
        return Finding(State.OK, "the system's authorities, no client certificate", facts)
    name, left = min(days.items(), key=lambda item: item[1])
    if left <= 0:
        return Finding(State.FAILED, f"mqtt.tls.{name} ran out {-left:.0f} days ago: renew it", facts)
    if left < _SOON_DAYS:
        return Finding(State.WARNING, f"mqtt.tls.{name} runs out in {left:.0f} days: renew it", facts)
    return Finding(State.OK, f"good for {left:.0f} days more; first runs out mqtt.tls.{name}", facts)


def _all(tls: MqttTlsConfig) -> list[tuple[str, x509.Certificate]]:
    return [
        (key, certificate)
        for key, path in (("certificate_file", tls.certificate_file), ("ca_file", tls.ca_file))
        if path is not None
        for certificate in _read(key, path)
    ]


def _read(key: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError([f"mqtt.tls.{key}: {path} cannot be read: {exc}"]) from exc
