# A mail server that takes letters by STARTTLS from one user, and notes them in a
# file, one a line.
import email
import email.policy
import json
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

port, certificate, key, user, password = int(sys.argv[1]), *sys.argv[2:6]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)


def authenticate(server, session, envelope, mechanism, login):
    right = LoginPassword(user.encode(), password.encode())
    return AuthResult(success=login == right, handled=False)


class Notes:
    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        note = {
            "to": envelope.rcpt_tos,
            "subject": letter["subject"],
            "choices": letter["list-unsubscribe"],
            "text": letter.get_body(("plain",)).get_content(),
            "html": letter.get_body(("html",)).get_content(),
        }
        with open("letters", "a") as letters:
            letters.write(json.dumps(note) + "\n")
        return "250 kept"


Controller(
    Notes(),
    hostname="127.0.0.1",
    port=port,
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
).start()
threading.Event().wait()
