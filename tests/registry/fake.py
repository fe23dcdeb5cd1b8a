#!/usr/bin/env python3
"""A registry that misbehaves on request (Distribution API v2).

    fake.py [--layout DIR] [--port-file FILE] [--cert FILE] [--life SECONDS]
            [--stay] [--address ADDRESS]

Serves, under every repository name, one made-up image (an index, a manifest,
a config, three layers) and, with --layout, what an OCI layout directory holds.
Four listeners on free ports of 127.0.0.1 (or ADDRESS): "main" and "other" (where blobs can be
redirected to) speak HTTP; "tls" and "rogue" HTTPS, each with a certificate of
its own making. That of "tls" goes to --cert, to be trusted; nobody can trust
"rogue". The ports go to FILE, or to standard output, as one line of JSON with
the digests of the image.

How it misbehaves is set by POST /_ctl with a JSON document:

    {"rules": [{"path": "/blobs/", "times": 1, "status": 500}, ...],
     "auth": {"kind": "bearer"}}

which also forgets the log, tokens and counts of before. A rule is for requests
whose "listener path" holds "path" (and of "method", if it is said); it is passed
over for the first "skip" of them and used up after "times". The first that fits
is applied:

    status, headers, body   answer this instead
    close                   close without an answer
    cut: N                  close after N bytes of the body (of a PUT: of its)
    stall: N, for: S        after N bytes of the body be silent for S seconds
    rate: N                 N bytes a second
    no_range                answer 200 to a Range request
    bad_range: "start"|"total"|"416"    lie in Content-Range, or refuse it
    flip: N                 the byte at N is wrong
    length: N               Content-Length is off by N
    extra: N                N bytes more than there are, length unknown
    chunked: "whole"|"cut"  no Content-Length; "cut" ends in the middle
    redirect: URL           {main}, {other}, {tls}, {rogue} are put in, {path} too
    type, no_digest, digest, encoding   change headers
    gzip                    Content-Encoding: gzip around the body, unasked
    expire                  tokens given out so far are no longer taken
    wait: S                 answer a PUT after S seconds
    location: URL           of an upload, {path} and {id} are put in

With "push": {} a repository holds only what was pushed to it, and mounts from
others work; "deny" in it is a list of repositories that may not be mounted from.

"auth": kind "bearer" or "basic"; for both user and password (anonymous tokens
are given unless user is set), identity (a refresh token); realm (URL with the
same replacements), token_key ("access_token"), challenge (the header itself),
status (of the token server), token_body.

GET /_log: the requests since, as a JSON list: listener, method, path, auth,
range, accept, encoding, agent, type, size, body. It ends with its parent
(PDEATHSIG; not with --stay), at the end of standard input, on SIGTERM, or after
--life seconds (default 600).
"""
import argparse
import base64
import ctypes
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MT = 'application/vnd.oci.image.'
LOG_MAX = 10000
PIECE = 16384
SECURE = ('tls', 'rogue')


def digest_of(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def dumps(doc):
    return json.dumps(doc, separators=(',', ':')).encode()


class Content:
    """Blobs by digest, manifests by digest and tag, with their types."""

    def __init__(self):
        self.blobs = {}
        self.manifests = {}
        self.info = {}

    def add_blob(self, data, media_type):
        digest = digest_of(data)
        self.blobs[digest] = data
        return {'mediaType': media_type, 'digest': digest,
                'size': len(data)}

    def add_manifest(self, doc, media_type, *tags):
        data = doc if isinstance(doc, bytes) else dumps(doc)
        digest = digest_of(data)
        for name in (digest,) + tags:
            self.manifests[name] = (data, media_type)
        return {'mediaType': media_type, 'digest': digest,
                'size': len(data)}

    def make_image(self):
        rng = random.Random(7)
        layers = [self.add_blob(rng.randbytes(size), MT + 'layer.v1.tar')
                  for size in (200_000, 3_000, 1_000_000)]
        config = self.add_blob(dumps({
            'os': 'linux', 'architecture': 'amd64',
            'rootfs': {'type': 'layers',
                       'diff_ids': [d['digest'] for d in layers]},
        }), MT + 'config.v1+json')
        manifest = self.add_manifest({
            'schemaVersion': 2, 'mediaType': MT + 'manifest.v1+json',
            'config': config, 'layers': layers,
        }, MT + 'manifest.v1+json', 'one')
        index = self.add_manifest({
            'schemaVersion': 2, 'mediaType': MT + 'index.v1+json',
            'manifests': [dict(manifest, platform={
                'os': 'linux', 'architecture': 'amd64'})],
        }, MT + 'index.v1+json', 'latest')
        schema1 = b'{"schemaVersion":1,"fsLayers":[]}'
        self.add_manifest(
            schema1, 'application/vnd.docker.distribution.manifest.'
                     'v1+prettyjws', 'schema1')
        self.info = {'layers': layers, 'config': config,
                     'manifest': manifest, 'index': index}

    def load_layout(self, path):
        folder = os.path.join(path, 'blobs', 'sha256')
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), 'rb') as f:
                self.blobs['sha256:' + name] = f.read()
        with open(os.path.join(path, 'index.json'), 'rb') as f:
            for d in json.load(f)['manifests']:
                tag = d.get('annotations', {}).get(
                    'org.opencontainers.image.ref.name', 'latest')
                self.manifests[tag] = (self.blobs[d['digest']],
                                       d['mediaType'])
        for digest, data in self.blobs.items():
            if data[:1] == b'{' and len(data) < 4 << 20:
                try:
                    doc = json.loads(data)
                except ValueError:
                    continue
                if 'manifests' in doc or 'layers' in doc:
                    self.manifests[digest] = (data, doc.get(
                        'mediaType', MT + 'manifest.v1+json'))


class State:
    """What is to go wrong, and what has been seen."""

    def __init__(self, content, address):
        self.lock = threading.Lock()
        self.content = content
        self.address = address
        self.ports = {}
        self.reset({})

    def reset(self, doc):
        with self.lock:
            self.rules = [dict(r) for r in doc.get('rules', [])]
            self.auth = doc.get('auth')
            self.push = doc.get('push')
            self.pushed = {}  # repository -> digest or tag -> bytes
            self.tokens = set()
            self.given = 0
            self.log = []

    def fill(self, text, path=''):
        for name, port in self.ports.items():
            scheme = 'https' if name in SECURE else 'http'
            text = text.replace('{%s}' % name,
                                '%s://%s:%d' % (scheme, self.address, port))
        return text.replace('{path}', path)

    def rule_for(self, text, method):
        with self.lock:
            for r in self.rules:
                if r.get('path', '') not in text or \
                        r.get('method', method) != method:
                    continue
                if r.get('skip', 0) > 0:
                    r['skip'] -= 1
                    continue
                if r.get('times', 1 << 30) <= 0:
                    continue
                r['times'] = r.get('times', 1 << 30) - 1
                if r.get('expire'):
                    self.tokens.clear()
                    continue
                return r
        return {}

    def new_token(self):
        with self.lock:
            self.given += 1
            token = 'tok-%d-%s' % (self.given, 'x' * 20)
            self.tokens.add(token)
        return token


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'fake'

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass

    def setup(self):
        super().setup()
        self.connection.settimeout(60)

    # ---- answers ---------------------------------------------------------

    def answer(self, status, body=b'', headers=None):
        self.send_response(status)
        headers = dict(headers or {})
        headers.setdefault('Content-Length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    def answer_json(self, status, doc, headers=None):
        self.answer(status, dumps(doc), dict(
            headers or {}, **{'Content-Type': 'application/json'}))

    def hang_up(self):
        self.close_connection = True
        try:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    # ---- requests --------------------------------------------------------

    def note(self, body=''):
        state = self.server.state
        entry = {'listener': self.server.name, 'method': self.command,
                 'path': self.path, 'body': body}
        for key, header in (('auth', 'Authorization'), ('range', 'Range'),
                            ('accept', 'Accept'), ('agent', 'User-Agent'),
                            ('encoding', 'Accept-Encoding'),
                            ('type', 'Content-Type'),
                            ('size', 'Content-Length')):
            entry[key] = self.headers.get(header, '')
        with state.lock:
            if len(state.log) < LOG_MAX:
                state.log.append(entry)

    def do_POST(self):
        size = min(int(self.headers.get('Content-Length', '0')), 1 << 20)
        body = self.rfile.read(size)
        if self.path == '/_ctl':
            self.server.state.reset(json.loads(body or b'{}'))
            self.answer(200)
            return
        self.note(body.decode('utf-8', 'replace'))
        if '/blobs/uploads/' in self.path:
            self.guarded(self.open_upload)
        else:
            self.guarded(lambda rule: self.token(body.decode()))

    def do_HEAD(self):
        self.note()
        self.guarded(self.head)

    def do_PUT(self):
        """The body comes before any answer, as with most registries."""
        self.note()
        rule = self.rule()
        size = int(self.headers.get('Content-Length', '0'))
        cut = rule.get('cut', size)
        try:
            body = self.rfile.read(min(size, cut))
        except OSError:
            cut = -1
        if cut < size or len(body) < size:
            self.hang_up()
            return
        time.sleep(rule.get('wait', 0))
        self.guarded(lambda _: self.put(rule, body), rule)

    # ---- pushes ----------------------------------------------------------

    def parts(self):
        """Repository and what is asked of it."""
        url = urllib.parse.urlsplit(self.path)
        name, _, rest = url.path.removeprefix('/v2/').partition('/blobs/')
        if not rest:
            name, _, rest = url.path.removeprefix('/v2/').partition(
                '/manifests/')
        return name, rest, urllib.parse.parse_qs(url.query)

    def head(self, _):
        state = self.server.state
        name, rest, _ = self.parts()
        if not self.authorised():
            return
        data = state.pushed.get(name, {}).get(rest)
        self.send_response(404 if data is None else 200)
        self.send_header('Content-Length', str(len(data or b'')))
        self.end_headers()

    def open_upload(self, rule):
        state = self.server.state
        name, _, query = self.parts()
        if not self.authorised():
            return
        digest = query.get('mount', [''])[0]
        source = query.get('from', [''])[0]
        if source in state.push.get('deny', []):
            self.answer_json(403, {'errors': [{
                'code': 'DENIED', 'message': 'not from there'}]})
            return
        data = state.pushed.get(source, {}).get(digest)
        if data is not None:
            state.pushed.setdefault(name, {})[digest] = data
            self.answer(201, headers={'Docker-Content-Digest': digest})
            return
        where = rule.get('location', '{path}{id}?_state=a%2Fb%3D&x=y')
        with state.lock:
            state.given += 1
            upload = 'up-%d' % state.given
        self.answer(202, headers={'Location': state.fill(
            where, urllib.parse.urlsplit(self.path).path).replace(
                '{id}', upload)})

    def put(self, rule, body):
        state = self.server.state
        name, rest, query = self.parts()
        if self.server.name != 'other' and not self.authorised():
            return
        digest = digest_of(body)
        if 'blobs' in self.path and (query.get('digest') != [digest] or
                                     '_state=a%2Fb%3D&x=y&' not in self.path):
            self.answer_json(400, {'errors': [{
                'code': 'DIGEST_INVALID', 'message': 'not what was said'}]})
            return
        with state.lock:
            have = state.pushed.setdefault(name, {})
            have[digest] = body
            have[rest] = body
        self.answer(201, headers={
            'Docker-Content-Digest': rule.get('digest', digest)})

    def do_GET(self):
        state = self.server.state
        if self.path == '/_log':
            with state.lock:
                log = list(state.log)
            self.answer_json(200, log)
            return
        self.note()
        self.guarded(self.get)

    def rule(self):
        return self.server.state.rule_for(
            '%s %s' % (self.server.name, self.path), self.command)

    def guarded(self, then, rule=None):
        state = self.server.state
        rule = self.rule() if rule is None else rule
        try:
            if rule.get('close'):
                self.hang_up()
            elif 'redirect' in rule:
                self.answer(rule.get('status', 307), headers={
                    'Location': state.fill(rule['redirect'], self.path)})
            elif 'status' in rule:
                self.answer(rule['status'], rule.get('body', '').encode(),
                            rule.get('headers'))
            else:
                then(rule)
        except OSError:
            self.close_connection = True

    def get(self, rule):
        url = urllib.parse.urlsplit(self.path)
        if url.path == '/token':
            self.token('')
            return
        if self.server.name != 'other' and not self.authorised():
            return
        parts = url.path.strip('/').split('/')
        if parts == ['v2']:
            self.answer_json(200, {})
        elif len(parts) >= 4 and parts[-2] == 'manifests':
            self.manifest(parts[-1], rule)
        elif len(parts) >= 4 and parts[-2] == 'blobs':
            self.blob(parts[-1], rule)
        else:
            self.answer_json(404, {'errors': [{
                'code': 'NAME_UNKNOWN', 'message': 'no such thing'}]})

    # ---- authorisation ---------------------------------------------------

    def authorised(self):
        state = self.server.state
        auth = state.auth
        if not auth:
            return True
        have = self.headers.get('Authorization', '')
        if auth['kind'] == 'bearer':
            with state.lock:
                if have.removeprefix('Bearer ') in state.tokens:
                    return True
        elif have == 'Basic ' + base64.b64encode(
                ('%s:%s' % (auth['user'], auth['password'])).encode()
        ).decode():
            return True
        realm = state.fill(auth.get('realm', '{main}/token'))
        challenge = {
            'bearer': 'Bearer realm="%s",service="fake"' % realm,
            'basic': 'Basic realm="fake"',
        }[auth['kind']]
        self.answer_json(401, {'errors': [{
            'code': 'UNAUTHORIZED', 'message': 'log in first'}]}, {
                'WWW-Authenticate': auth.get('challenge', challenge)})
        return False

    def may_have_token(self, form):
        auth = self.server.state.auth or {}
        if 'identity' in auth:
            fields = urllib.parse.parse_qs(form)
            return fields.get('grant_type') == ['refresh_token'] and \
                fields.get('refresh_token') == [auth['identity']]
        if 'user' not in auth:
            return True
        pair = '%s:%s' % (auth['user'], auth['password'])
        return self.headers.get('Authorization', '') == \
            'Basic ' + base64.b64encode(pair.encode()).decode()

    def token(self, form):
        auth = self.server.state.auth or {}
        if 'token_body' in auth:
            self.answer(200, auth['token_body'].encode())
        elif not self.may_have_token(form):
            self.answer_json(auth.get('status', 401), {
                'details': 'incorrect username or password'})
        else:
            key = auth.get('token_key', 'token')
            self.answer_json(200, {key: self.server.state.new_token()})

    # ---- content ---------------------------------------------------------

    def manifest(self, name, rule):
        found = self.server.state.content.manifests.get(name)
        if not found:
            self.answer_json(404, {'errors': [{
                'code': 'MANIFEST_UNKNOWN',
                'message': 'manifest unknown'}]})
            return
        data, media_type = found
        headers = {'Content-Type': media_type}
        if not rule.get('no_digest'):
            headers['Docker-Content-Digest'] = rule.get(
                'digest', digest_of(data))
        self.body(data, headers, rule)

    def blob(self, name, rule):
        data = self.server.state.content.blobs.get(name)
        if data is None:
            self.answer_json(404, {'errors': [{
                'code': 'BLOB_UNKNOWN', 'message': 'blob unknown'}]})
            return
        self.body(data, {'Content-Type': 'application/octet-stream',
                         'Accept-Ranges': 'bytes'}, rule)

    def first_byte(self, size, headers, rule):
        """Where a Range request begins, or None: it was refused."""
        text = self.headers.get('Range', '')
        if not text.startswith('bytes=') or rule.get('no_range'):
            return 0
        first = int(text[6:].split('-')[0])
        lie = rule.get('bad_range')
        if first >= size or lie == '416':
            self.answer(416, headers={'Content-Range': 'bytes */%d' % size})
            return None
        headers['Content-Range'] = 'bytes %d-%d/%d' % (
            first - (lie == 'start'), size - 1 - (lie == 'start'),
            size + (lie == 'total'))
        return first

    def body(self, data, headers, rule):
        first = self.first_byte(len(data), headers, rule)
        if first is None:
            return
        if 'flip' in rule:
            data = bytearray(data)
            data[rule['flip'] % len(data)] ^= 1
        data = bytes(data[first:]) + b'z' * rule.get('extra', 0)
        if 'type' in rule:
            headers['Content-Type'] = rule['type']
        if 'encoding' in rule:
            headers['Content-Encoding'] = rule['encoding']
        if rule.get('gzip'):
            data = gzip.compress(data)
            headers['Content-Encoding'] = 'gzip'
        self.send_response(206 if 'Content-Range' in headers else 200)
        chunked = rule.get('chunked')
        if chunked:
            headers['Transfer-Encoding'] = 'chunked'
        elif rule.get('extra'):
            headers['Connection'] = 'close'
        else:
            headers['Content-Length'] = str(len(data) +
                                            rule.get('length', 0))
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        self.pieces(data, rule)

    def pieces(self, data, rule):
        size = min(rule.get('rate', PIECE * 10) // 10 or 1, PIECE)
        stops = [rule[k] for k in ('cut', 'stall') if k in rule]
        sent = 0
        while sent < len(data):
            if 'cut' in rule and sent >= rule['cut']:
                self.hang_up()
                return
            if 'stall' in rule and sent >= rule['stall']:
                self.wfile.flush()
                time.sleep(rule.get('for', 5))
                stops = []
                rule = {k: v for k, v in rule.items() if k != 'stall'}
            n = min([size] + [s - sent for s in stops if s > sent])
            if rule.get('chunked') == 'cut' and sent > len(data) // 2:
                self.hang_up()
                return
            self.piece(data[sent:sent + n], rule)
            sent += n
            if 'rate' in rule:
                time.sleep(size / rule['rate'])
        if rule.get('chunked'):
            self.wfile.write(b'0\r\n\r\n')
        elif rule.get('length') or rule.get('extra'):
            self.hang_up()

    def piece(self, data, rule):
        if rule.get('chunked'):
            self.wfile.write(b'%x\r\n' % len(data) + data + b'\r\n')
        else:
            self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, name, state):
        super().__init__((state.address, 0), Handler)
        self.name = name
        self.state = state
        state.ports[name] = self.server_port

    def handle_error(self, request, client_address):
        pass  # a client that hangs up, or does not trust us, is no news


def tls_context(copy_to):
    folder = tempfile.mkdtemp(prefix='fake-tls.')
    try:
        cert = os.path.join(folder, 'cert.pem')
        key = os.path.join(folder, 'key.pem')
        subprocess.run(
            ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
             '-subj', '/CN=localhost', '-addext',
             'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', key,
             '-out', cert],
            check=True, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if copy_to:
            shutil.copyfile(cert, copy_to)
        return context
    finally:
        shutil.rmtree(folder)


def end_in_time(life, stay):
    if not stay:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGALRM, lambda *_: os._exit(3))
    signal.alarm(life)

    def watch():
        while sys.stdin.buffer.read(4096):
            pass
        os._exit(0)

    if not sys.stdin.isatty() and os.fstat(0).st_rdev != \
            os.stat('/dev/null').st_rdev:
        threading.Thread(target=watch, daemon=True).start()


def main():
    parser = argparse.ArgumentParser(description='a fake registry')
    parser.add_argument('--layout')
    parser.add_argument('--port-file')
    parser.add_argument('--cert')
    parser.add_argument('--life', type=int, default=600)
    parser.add_argument('--stay', action='store_true')
    parser.add_argument('--address', default='127.0.0.1')
    args = parser.parse_args()
    end_in_time(args.life, args.stay)

    content = Content()
    content.make_image()
    if args.layout:
        content.load_layout(args.layout)
    state = State(content, args.address)
    servers = [Server('main', state), Server('other', state)]
    for name in SECURE:
        server = Server(name, state)
        server.socket = tls_context(
            args.cert if name == 'tls' else None).wrap_socket(
                server.socket, server_side=True,
                do_handshake_on_connect=False)
        servers.append(server)
    for s in servers[1:]:
        threading.Thread(target=s.serve_forever, daemon=True).start()

    line = json.dumps(dict(content.info, ports=state.ports)) + '\n'
    if args.port_file:
        with open(args.port_file + '.new', 'w', encoding='ascii') as f:
            f.write(line)
        os.rename(args.port_file + '.new', args.port_file)
    else:
        sys.stdout.write(line)
        sys.stdout.flush()
    servers[0].serve_forever()


if __name__ == '__main__':
    main()
