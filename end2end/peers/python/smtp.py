# A mail server that takes letters by STARTTLS from one user, and forgets them.
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult, LoginPassword

port, certificate, key, user, password = int(sys.argv[1]), *sys.argv[2:6]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


def authenticate(server, session, envelope, mechanism, login):
    right = LoginPassword(user.encode(), password.encode())
    return AuthResult(success=login == right, handled=False)


Controller(
    Sink(),
    hostname="127.0.0.1",
    port=port,
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
).start()
threading.Event().wait()
