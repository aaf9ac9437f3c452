# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
"""A certificate authority for one run and the TLS context that all nodes share."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

HOSTS = ("localhost", "127.0.0.1", "127.0.0.2")


def make_server_context(folder: Path, ca_bundle: Path) -> ssl.SSLContext:
    """Make an authority and a node certificate; writes the authority to ``ca_bundle``, the key only into the context.

    ``folder`` is where the key lies for the moment of loading it.
    """
    authority = trustme.CA(organization_name="elasticache.auth emulator")
    certificate = authority.issue_cert(*HOSTS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(folder)) as path:
        context.load_cert_chain(path)
    authority.cert_pem.write_to_path(str(ca_bundle))
    return context
