"""TLS to the broker: certificates checked, host name checked, TLS 1.2 or later."""

import ssl
from pathlib import Path

from edged.config.sections import MqttTlsConfig
from edged.errors import ConfigError


class _OwnedSocket(ssl.SSLSocket):
    """Closes itself when the handshake fails: paho drops it open, one descriptor an attempt."""

    def do_handshake(self, block: bool = False) -> None:
        """Shake hands. Raises ``OSError``."""
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(config: MqttTlsConfig) -> ssl.SSLContext:
    """Return a client context: the authorities of ``ca_file``, or of the system where it is absent.

    Raises ``ConfigError`` naming the file that cannot be used.
    """
    context = _authorities(config.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _OwnedSocket
    if config.certificate_file is not None:
        try:
            # The password callback answers for OpenSSL, which would ask on the terminal and wait.
            context.load_cert_chain(config.certificate_file, config.key_file, password=lambda: b"")
        except (OSError, ssl.SSLError) as exc:
            raise ConfigError(
                [
                    f"mqtt.tls.certificate_file: {config.certificate_file} with key {config.key_file} "
                    f"cannot be used: {exc.strerror or exc}"
                ]
            ) from exc
    return context


def _authorities(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigError([f"mqtt.tls.ca_file: {ca_file} cannot be used: {exc.strerror or exc}"]) from exc
