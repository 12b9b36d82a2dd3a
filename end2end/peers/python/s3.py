# Object storage as `moto` plays it, with one bucket and one user whose
# signatures it checks. It says in `bucket.json` what their console would show.
import json
import os
import sys

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from moto.backends import get_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

port, certificate, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ACCOUNT, REGION, USER, BUCKET = "123456789012", "us-east-1", "linkwell", "alder-files"

iam = get_backend("iam")[ACCOUNT]["aws"]
iam.create_user(REGION, USER)
allowed = {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}
iam.put_user_policy(USER, "read", json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
access = iam.create_access_key(USER)

s3 = get_backend("s3")[ACCOUNT]["aws"]
s3.create_bucket(BUCKET, REGION)
s3.put_object(BUCKET, "orders/2026-11.csv", b"id,total\n1,2.50\n")

with open("bucket.json", "w") as file:
    json.dump(
        {
            "endpoint": f"https://localhost:{port}",
            "region": REGION,
            "bucket": BUCKET,
            "accessKeyId": access.access_key_id,
            "secretAccessKey": access.secret_access_key,
        },
        file,
    )

run_simple(
    "127.0.0.1",
    port,
    DomainDispatcherApplication(create_backend_app),
    threaded=True,
    ssl_context=(certificate, key),
)
