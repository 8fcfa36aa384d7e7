"""The certificates for the broker: how long they hold. One that has run out keeps the door offline."""

import socket
from pathlib import Path

from cryptography import x509

from edged.config.sections import MqttConfig, MqttTlsConfig
from edged.doctor.finding import Finding, State
from edged.doctor.patient import Patient
from edged.domain.count import counted
from edged.errors import ConfigError
from edged.fleet.tls import tls_context

# Whoever renews by hand gets a month; what renews by itself does so a third before the end, of 90 days.
_SOON_DAYS = 30
_DAY = 86_400
_BROKER = "the broker's own"
_CONNECT_SECONDS = 5.0
_TLS_PORT = 8883


def certificates(patient: Patient) -> Finding:
    """Read client certificate and authorities, try them with the key, and look at the broker's own."""
    mqtt = patient.config.mqtt
    if not mqtt.enabled or mqtt.tls is None:
        return Finding(State.NOT_APPLICABLE, "mqtt.tls is not set")
    found = _ours(mqtt.tls) | _theirs(mqtt, mqtt.tls)
    days = {name: (one.not_valid_after_utc.timestamp() - patient.now) / _DAY for name, one in found.items()}
    early = [name for name, one in found.items() if one.not_valid_before_utc.timestamp() > patient.now]
    facts: dict[str, object] = {"days_left": {name: round(left, 1) for name, left in days.items()}}
    if early:
        return Finding(State.FAILED, f"{', '.join(early)}: not valid yet; is the clock right?", facts)
    if not days:
        return Finding(State.OK, "the system's authorities, no client certificate", facts)
    name, left = min(days.items(), key=lambda item: item[1])
    if left <= 0:
        return Finding(State.FAILED, f"{name} ran out {counted(-left, 'day')} ago: renew it", facts)
    if left < _SOON_DAYS:
        return Finding(State.WARNING, f"{name} runs out in {counted(left, 'day')}: renew it", facts)
    return Finding(State.OK, f"good for {counted(left, 'day')} more; {name} is the first to run out", facts)


def _ours(tls: MqttTlsConfig) -> dict[str, x509.Certificate]:
    """Return what is in force by its key: of a client's chain the first to run out, of authorities the last.

    A file of authorities holds the old one beside the new one while they are changed. Raises ``ConfigError``.
    """
    tls_context(tls)  # raises where a file cannot be used, or a key is another certificate's
    found = {}
    if tls.certificate_file is not None:
        chain = _read("certificate_file", tls.certificate_file)
        found["mqtt.tls.certificate_file"] = min(chain, key=lambda one: one.not_valid_after_utc)
    if tls.ca_file is not None:
        authorities = _read("ca_file", tls.ca_file)
        found["mqtt.tls.ca_file"] = max(authorities, key=lambda one: one.not_valid_after_utc)
    return found


def _theirs(mqtt: MqttConfig, tls: MqttTlsConfig) -> dict[str, x509.Certificate]:
    """Return the certificate that the broker shows; none where it is not believed or not there.

    Why is for the check of the broker to say.
    """
    try:
        with (
            socket.create_connection((mqtt.host, mqtt.port or _TLS_PORT), _CONNECT_SECONDS) as plain,
            tls_context(tls).wrap_socket(plain, server_hostname=mqtt.host) as wrapped,
        ):
            shown = wrapped.getpeercert(binary_form=True)
        return {} if shown is None else {_BROKER: x509.load_der_x509_certificate(shown)}
    except (OSError, ValueError):
        return {}


def _read(key: str, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise ConfigError([f"mqtt.tls.{key}: {path} cannot be read: {exc}"]) from exc
