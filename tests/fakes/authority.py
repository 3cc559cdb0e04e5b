"""A certificate authority of one test's own, with the PEM files that people get from it."""

import ssl
from pathlib import Path

import trustme


class Authority:
    def __init__(self, folder: Path) -> None:
        self.ca_file = str(folder / "ca.pem")
        self.client_cert_file = str(folder / "client.pem")
        self.client_key_file = str(folder / "client.key")
        self._folder = folder
        self._issuer = trustme.CA()
        self.write_ca(Path(self.ca_file))
        client = self._issuer.issue_cert("gateway@team.example")
        client.private_key_pem.write_to_path(self.client_key_file)
        for blob in client.cert_chain_pems:
            blob.write_to_path(self.client_cert_file, append=True)

    def write_ca(self, path: Path) -> None:
        self._issuer.cert_pem.write_to_path(str(path))

    def server(self, name: str = "127.0.0.1", *, asks_client: bool = False) -> ssl.SSLContext:
        """Return the context of a server; it may insist on a client's certificate."""
        path = self._folder / f"{name}.pem"
        self._issuer.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if asks_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        return context
