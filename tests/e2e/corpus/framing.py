# SPDX-License-Identifier: MIT
"""Requests that two servers could read in two ways, or that are no requests.

Each is written as it goes over the wire: a line break is CR LF, <LF> <CR> <TAB> <NUL> or <9f> are
single bytes, and

    $PATH    where a good post may go, or $AUTH a header that says so; $HOST the server's own name
    $BODY    the place of what is smuggled: a whole second request, which must never be executed.
             The same request is tried again with a good body there, so that nothing but its
             framing can be the reason to refuse it
    $LENGTH  the length of $BODY, $SIZE and $WIDE in hexadecimal digits, as few or 16 of them;
             $REST the length of all behind the head

What is expected is the status with which callbackd itself answers; then it closes the connection,
and so whatever follows is not executed. A proxy in front may answer, close, or pass on what it
makes of it: the second request must not be executed, nor the first one be accepted.

`ends`: the client sends nothing behind it and closes its side, because more would be wanted.
"""
import re
from dataclasses import dataclass

TOKENS = {"LF": b"\n", "CR": b"\r", "TAB": b"\t", "NUL": b"\0"}


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    status: int = 400
    ends: bool = False

    def wire(self, body, **values):
        """The bytes; `values` are PATH, AUTH and HOST."""
        values = {key: value.encode() for key, value in values.items()}
        values.update(BODY=body, LENGTH=b"%d" % len(body), SIZE=b"%x" % len(body),
                      WIDE=b"%016x" % len(body))
        text = expand(self.text.replace("\n", "\r\n").encode())
        head, end, rest = text.partition(b"\r\n\r\n")
        rest = fill(rest, values)
        values["REST"] = b"%d" % len(rest)
        return fill(head, values) + end + rest


def expand(text):
    return re.sub(rb"<(LF|CR|TAB|NUL|[0-9a-f]{2})>",
                  lambda found: TOKENS.get(found[1].decode()) or bytes.fromhex(found[1].decode()),
                  text)


def fill(text, values):
    return re.sub(rb"\$([A-Z]+)", lambda found: values[found[1].decode()], text)


def post(name, *headers, body="$BODY", status=400, ends=False):
    """A post that is good but for these headers, or this body."""
    head = "\n".join(["POST $PATH HTTP/1.1", "Host: $HOST", "$AUTH", *headers])
    return Case(name, f"{head}\n\n{body}", status, ends)


def chunks(name, body, status=400, ends=False):
    return post("chunks: " + name, "Transfer-Encoding: chunked", body=body, status=status, ends=ends)


def line(name, request_line, status=400):
    return Case("request line: " + name, f"{request_line}\nHost: $HOST\n$AUTH\n"
                                         "Content-Length: $LENGTH\n\n$BODY", status)


def host(name, *lines):
    return Case("host: " + name, "\n".join(["POST $PATH HTTP/1.1", "$AUTH", *lines,
                                            "Content-Length: $LENGTH"]) + "\n\n$BODY")


LENGTHS = [
    post("length: twice the same", "Content-Length: $LENGTH", "Content-Length: $LENGTH"),
    post("length: nothing, then all", "Content-Length: 0", "Content-Length: $LENGTH"),
    post("length: all, then nothing", "Content-Length: $LENGTH", "Content-Length: 0"),
    post("length: two in two spellings", "Content-Length: 0", "content-length: $LENGTH"),
    post("length: a list of the same", "Content-Length: $LENGTH, $LENGTH"),
    post("length: a list of two", "Content-Length: 0, $LENGTH"),
    post("length: a comma behind it", "Content-Length: $LENGTH,"),
    post("length: with a plus", "Content-Length: +$LENGTH"),
    post("length: with a minus", "Content-Length: -$LENGTH"),
    post("length: minus nothing", "Content-Length: -0"),
    post("length: minus one", "Content-Length: -1"),
    post("length: hexadecimal", "Content-Length: 0x$SIZE"),
    post("length: with a fraction", "Content-Length: $LENGTH.0"),
    post("length: with an exponent", "Content-Length: 1e2"),
    post("length: a space inside", "Content-Length: 0 $LENGTH"),
    post("length: a tab inside", "Content-Length: 0<TAB>$LENGTH"),
    post("length: with a parameter", "Content-Length: 0;$LENGTH"),
    post("length: quoted", 'Content-Length: "$LENGTH"'),
    post("length: with an underscore", "Content-Length: 0_$LENGTH"),
    post("length: letters behind it", "Content-Length: 0abc"),
    post("length: no number", "Content-Length: many"),
    post("length: empty", "Content-Length:"),
    post("length: white space", "Content-Length:   "),
    post("length: 2^63", "Content-Length: 9223372036854775808"),
    post("length: 2^64", "Content-Length: 18446744073709551616"),
    post("length: 2^64 and a little", "Content-Length: 18446744073709551617"),
    post("length: 100 digits", "Content-Length: " + "9" * 100),
    post("length: 2^63 - 1", "Content-Length: 9223372036854775807", status=413),
    post("length: a terabyte", "Content-Length: 1099511627776", status=413),
    post("length: a form feed before it", "Content-Length: <0c>$LENGTH"),
    post("length: a vertical tab behind it", "Content-Length: $LENGTH<0b>"),
    post("length: a NUL behind it", "Content-Length: $LENGTH<NUL>"),
    post("length: digits of another script", "Content-Length: <d9><a1><d9><a2>"),
    post("length: more than comes", "Content-Length: 1000000", body='"', ends=True),
]

BOTH = [
    post("both: the length ends it later", "Content-Length: $REST", "Transfer-Encoding: chunked",
         body="0\n\n$BODY"),
    post("both: the length ends it earlier", "Content-Length: 4", "Transfer-Encoding: chunked",
         body="$SIZE\n$BODY\n0\n\n"),
    post("both: the other way round", "Transfer-Encoding: chunked", "Content-Length: $REST",
         body="0\n\n$BODY"),
    post("both: no length at all", "Transfer-Encoding: chunked", "Content-Length: 0",
         body="$SIZE\n$BODY\n0\n\n"),
    post("both: with another header between", "Content-Length: $REST", "X-Between: 1",
         "Transfer-Encoding: chunked", body="0\n\n$BODY"),
    post("both: identity and a length", "Transfer-Encoding: identity", "Content-Length: $LENGTH"),
    post("both: an unknown encoding", "Transfer-Encoding: cow", "Content-Length: $LENGTH"),
    post("both: a space before the colon", "Content-Length: $REST", "Transfer-Encoding : chunked",
         body="0\n\n$BODY"),
    post("both: the encoding is folded", "Content-Length: $REST", "Transfer-Encoding:\n chunked",
         body="0\n\n$BODY"),
    post("both: the encoding behind a bare LF", "Content-Length: $REST",
         "X: y<LF>Transfer-Encoding: chunked", body="0\n\n$BODY"),
    post("both: the encoding behind a bare CR", "Content-Length: $REST",
         "X: y<CR>Transfer-Encoding: chunked", body="0\n\n$BODY"),
    post("both: the length behind a bare CR", "Transfer-Encoding: chunked",
         "X: y<CR>Content-Length: $REST", body="0\n\n$BODY"),
    post("both: a NUL in the encoding", "Content-Length: $REST", "Transfer-Encoding: chun<NUL>ked",
         body="0\n\n$BODY"),
]

ENCODINGS = [
    post("encoding: " + name, *headers, body="$SIZE\n$BODY\n0\n\n")
    for name, headers in [
        ("identity", ["Transfer-Encoding: identity"]),
        ("gzip", ["Transfer-Encoding: gzip"]),
        ("gzip, then chunked", ["Transfer-Encoding: gzip, chunked"]),
        ("chunked, then gzip", ["Transfer-Encoding: chunked, gzip"]),
        ("chunked twice", ["Transfer-Encoding: chunked, chunked"]),
        ("chunked in two headers", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        ("chunked, then identity", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"]),
        ("identity, then chunked", ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"]),
        ("with a parameter", ["Transfer-Encoding: chunked;q=1"]),
        ("a longer word", ["Transfer-Encoding: xchunked"]),
        ("letters behind it", ["Transfer-Encoding: chunkedx"]),
        ("quoted", ['Transfer-Encoding: "chunked"']),
        ("empty", ["Transfer-Encoding:"]),
        ("a comma before it", ["Transfer-Encoding: , chunked"]),
        ("a comma behind it", ["Transfer-Encoding: chunked,"]),
        ("a vertical tab before it", ["Transfer-Encoding: <0b>chunked"]),
        ("a byte beyond ASCII before it", ["Transfer-Encoding: <a0>chunked"]),
        ("folded", ["Transfer-Encoding:\n chunked"]),
        ("a space before the colon", ["Transfer-Encoding : chunked"]),
        ("a tab before the colon", ["Transfer-Encoding<TAB>: chunked"]),
    ]
] + [
    Case("encoding: in HTTP/1.0", "POST $PATH HTTP/1.0\nHost: $HOST\n$AUTH\n"
         "Connection: keep-alive\nTransfer-Encoding: chunked\n\n$SIZE\n$BODY\n0\n\n"),
]

CHUNKS = [
    chunks("no size", "\n$BODY\n0\n\n"),
    chunks("no size but an extension", ";a=b\n$BODY\n0\n\n"),
    chunks("size is no number", "xyz\n$BODY\n0\n\n"),
    chunks("size with a minus", "-1\n$BODY\n0\n\n"),
    chunks("size with a plus", "+$SIZE\n$BODY\n0\n\n"),
    chunks("size with 0x", "0x$SIZE\n$BODY\n0\n\n"),
    chunks("a space before the size", " $SIZE\n$BODY\n0\n\n"),
    chunks("a space behind the size", "$SIZE \n$BODY\n0\n\n"),
    chunks("a tab behind the size", "$SIZE<TAB>\n$BODY\n0\n\n"),
    chunks("a space before an extension", "$SIZE ;a=b\n$BODY\n0\n\n"),
    chunks("a NUL behind the size", "$SIZE<NUL>\n$BODY\n0\n\n"),
    chunks("size of 17 digits", "10000000000000000\n$BODY\n0\n\n"),
    chunks("size of 2^64 and its own", "1$WIDE\n$BODY\n0\n\n"),
    chunks("size of 2^63", "8000000000000000\n$BODY\n0\n\n"),
    chunks("size of 2^64 - 1", "ffffffffffffffff\n$BODY\n0\n\n"),
    chunks("size of 2^63 - 1", "7fffffffffffffff\n$BODY\n0\n\n", status=413),
    chunks("size of many digits", "1" + "0" * 80 + "\n$BODY\n0\n\n"),
    chunks("more data than its size", "1\n1$BODY\n0\n\n"),
    chunks("something else than CR LF behind the data", "1\n1xx$SIZE\n$BODY\n0\n\n"),
    chunks("nothing behind the data", "$SIZE\n$BODY0\n\n"),
    chunks("LF behind the data", "$SIZE\n$BODY<LF>0\n\n"),
    chunks("CR behind the data", "$SIZE\n$BODY<CR>0\n\n"),
    chunks("LF behind the size", "$SIZE<LF>$BODY\n0\n\n"),
    chunks("CR behind the size", "1<CR>1\n1\n0\n\n$BODY"),
    chunks("all lines end with LF", "$SIZE<LF>$BODY<LF>0<LF><LF>"),
    chunks("LF in an extension", "2;<LF>xx\n12\n0\n\n$BODY"),
    chunks("LF behind an extension", "$SIZE;a=b<LF>$BODY\n0\n\n"),
    chunks("CR in an extension", "1;a<CR>1\n1\n0\n\n$BODY"),
    chunks("CR and a digit in an extension", "1;a<CR>b\n1\n0\n\n$BODY"),
    chunks("NUL in an extension", "$SIZE;a<NUL>b\n$BODY\n0\n\n"),
    chunks("a byte beyond ASCII in an extension", "$SIZE;a<80>b\n$BODY\n0\n\n"),
    chunks("an extension of 1,000 bytes", "$SIZE;" + "a" * 1000 + "\n$BODY\n0\n\n"),
    chunks("LF in the extension of the last one", "$SIZE\n$BODY\n0;<LF>\n\n"),
    chunks("last one ends with LF", "$SIZE\n$BODY\n0<LF>\n"),
    chunks("last one and the end, both LF", "$SIZE\n$BODY\n0<LF><LF>"),
    chunks("the end is LF", "$SIZE\n$BODY\n0\n<LF>"),
    chunks("the end is CR and something else", "$SIZE\n$BODY\n0\n<CR>x"),
    chunks("no last one", "1\n1\n", ends=True),
    chunks("no end", "1\n1\n0\n", ends=True),
    chunks("the data breaks off", "1000\n1", ends=True),
    chunks("a trailer without a colon", "$SIZE\n$BODY\n0\nnothing\n\n"),
    chunks("a trailer with a space before its colon", "$SIZE\n$BODY\n0\nX : y\n\n"),
    chunks("a folded trailer", "$SIZE\n$BODY\n0\nX: y\n z\n\n"),
    chunks("a trailer that ends with LF", "$SIZE\n$BODY\n0\nX: y<LF>\n"),
    chunks("trailers end with two LF", "$SIZE\n$BODY\n0\nX: y<LF><LF>"),
    chunks("CR in a trailer", "$SIZE\n$BODY\n0\nX: y<CR>z\n\n"),
    chunks("NUL in a trailer", "$SIZE\n$BODY\n0\nX: <NUL>\n\n"),
    chunks("a trailer without a name", "$SIZE\n$BODY\n0\n: y\n\n"),
    chunks("trailers without end", "$SIZE\n$BODY\n0\n" + "X: y\n" * 2000 + "\n"),
]

LINES = [
    Case("lines: all end with LF", "POST $PATH HTTP/1.1<LF>Host: $HOST<LF>$AUTH<LF>"
         "Content-Length: $LENGTH<LF><LF>$BODY"),
    Case("lines: the request line ends with LF", "POST $PATH HTTP/1.1<LF>Host: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: the empty line is LF", "POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n<LF>$BODY"),
    Case("lines: all end with CR", "POST $PATH HTTP/1.1<CR>Host: $HOST<CR>$AUTH<CR>"
         "Content-Length: $LENGTH<CR><CR>\n\n$BODY"),
    Case("lines: the request line ends with LF and a space", "POST $PATH HTTP/1.1<LF> Host: $HOST\n"
         "$AUTH\nContent-Length: $LENGTH\n\n$BODY"),
    Case("lines: the request line ends with CR and a space", "POST $PATH HTTP/1.1<CR> X: y\n"
         "Host: $HOST\n$AUTH\nContent-Length: $LENGTH\n\n$BODY"),
    Case("lines: the request line ends with LF CR", "POST $PATH HTTP/1.1<LF><CR>Host: $HOST\n"
         "$AUTH\nContent-Length: $LENGTH\n\n$BODY"),
    post("lines: one header ends with LF", "X: y<LF>Content-Length: $LENGTH"),
    post("lines: LF CR", "X: y<LF><CR>Content-Length: $LENGTH"),
    post("lines: two LF before the length", "X: y<LF><LF>Content-Length: $LENGTH"),
    post("lines: CR CR LF", "X: y<CR>\nContent-Length: $LENGTH"),
    post("lines: folded with a space", "X: y\n z", "Content-Length: $LENGTH"),
    post("lines: folded with a tab", "X: y\n<TAB>z", "Content-Length: $LENGTH"),
    post("lines: a folded length", "X: y\n Content-Length: 0", "Content-Length: $LENGTH"),
    post("lines: the length is folded", "Content-Length:\n $LENGTH"),
    Case("lines: the first header is folded", "POST $PATH HTTP/1.1\n Host: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    post("lines: nothing but white space", " ", "Content-Length: $LENGTH"),
    post("lines: a space before the colon", "Content-Length : $LENGTH"),
    post("lines: a tab before the colon", "Content-Length<TAB>: $LENGTH"),
    post("lines: no colon", "Content-Length $LENGTH", "Content-Length: $LENGTH"),
    post("lines: no name", ": y", "Content-Length: $LENGTH"),
    post("lines: a space in a name", "Content Length: 0", "Content-Length: $LENGTH"),
    post("lines: a quoted name", '"Content-Length": 0', "Content-Length: $LENGTH"),
    post("lines: a parenthesis in a name", "Content(Length: 0", "Content-Length: $LENGTH"),
    post("lines: a byte beyond ASCII in a name", "X<80>: y", "Content-Length: $LENGTH"),
    post("lines: a NUL in a name", "X<NUL>: y", "Content-Length: $LENGTH"),
    post("lines: a NUL in a value", "X: a<NUL>b", "Content-Length: $LENGTH"),
    post("lines: a bell in a value", "X: a<07>b", "Content-Length: $LENGTH"),
    post("lines: an escape in a value", "X: <1b>[2J", "Content-Length: $LENGTH"),
    post("lines: a delete in a value", "X: a<7f>b", "Content-Length: $LENGTH"),
    post("lines: a CR in a value", "X: a<CR>b", "Content-Length: $LENGTH"),
    Case("lines: an empty line first", "\nPOST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: two empty lines first", "\n\nPOST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: a LF first", "<LF>POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: two LF first", "<LF><LF>POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: a space first", " POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: a CR first", "<CR>POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: a NUL first", "<NUL>POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
    Case("lines: a byte order mark first", "<ef><bb><bf>POST $PATH HTTP/1.1\nHost: $HOST\n$AUTH\n"
         "Content-Length: $LENGTH\n\n$BODY"),
]

REQUEST_LINES = [
    line("two spaces before the target", "POST  $PATH HTTP/1.1"),
    line("two spaces behind the target", "POST $PATH  HTTP/1.1"),
    line("a tab before the target", "POST<TAB>$PATH HTTP/1.1"),
    line("a tab behind the target", "POST $PATH<TAB>HTTP/1.1"),
    line("a form feed behind the target", "POST $PATH<0c>HTTP/1.1"),
    line("a space behind the version", "POST $PATH HTTP/1.1 "),
    line("a word behind the version", "POST $PATH HTTP/1.1 x"),
    line("a space in the target", "POST $PATH ?x HTTP/1.1"),
    line("no version", "POST $PATH"),
    line("no target", "POST HTTP/1.1"),
    line("no method", "$PATH HTTP/1.1"),
    line("the version in small letters", "POST $PATH http/1.1"),
    line("letters behind the version", "POST $PATH HTTP/1.1x", 505),
    line("version 1.10", "POST $PATH HTTP/1.10", 505),
    line("version 01.1", "POST $PATH HTTP/01.1", 505),
    line("version 1", "POST $PATH HTTP/1", 505),
    line("version 1.2", "POST $PATH HTTP/1.2", 505),
    line("version 0.9", "POST $PATH HTTP/0.9", 505),
    line("version 2.0", "POST $PATH HTTP/2.0", 505),
    line("version 3.0", "POST $PATH HTTP/3.0", 505),
    line("another protocol", "POST $PATH HTTPS/1.1"),
    line("a space in the version", "POST $PATH HTTP/ 1.1"),
    line("the method in small letters", "post $PATH HTTP/1.1"),
    line("an unknown method", "SEND $PATH HTTP/1.1"),
    line("a method with a NUL", "PO<NUL>ST $PATH HTTP/1.1"),
    line("a method with a byte beyond ASCII", "POST<80> $PATH HTTP/1.1"),
    line("a whole URI", "POST http://$HOST$PATH HTTP/1.1"),
    line("a whole URI of somebody else", "POST http://elsewhere.example$PATH HTTP/1.1"),
    line("a whole URI of another scheme", "POST file://$PATH HTTP/1.1"),
    line("an authority", "CONNECT $HOST HTTP/1.1"),
    line("an asterisk", "OPTIONS * HTTP/1.1"),
    line("an asterisk to be posted to", "POST * HTTP/1.1"),
    line("no slash", "POST callback HTTP/1.1"),
    line("a backslash first", r"POST \callback HTTP/1.1"),
    line("a fragment", "POST $PATH#x HTTP/1.1"),
    line("a byte beyond ASCII in the path", "POST $PATH<ff> HTTP/1.1"),
    line("UTF-8 in the query", "POST $PATH?<c3><a4> HTTP/1.1"),
    line("a NUL in the path", "POST $PATH<NUL> HTTP/1.1"),
    line("a control character in the path", "POST $PATH<01> HTTP/1.1"),
    line("a CR in the path", "POST $PATH<CR>x HTTP/1.1"),
    line("a delete in the path", "POST $PATH<7f> HTTP/1.1"),
    Case("request line: HTTP/0.9", "POST $PATH\n\n$BODY"),
    Case("request line: the beginning of HTTP/2", "PRI * HTTP/2.0\n\nSM\n\n$BODY"),
]

HOSTS = [
    host("none"),
    host("two of the same", "Host: $HOST", "Host: $HOST"),
    host("two", "Host: $HOST", "Host: elsewhere.example"),
    host("empty", "Host:"),
    host("a list", "Host: $HOST, elsewhere.example"),
    host("a space inside", "Host: $HOST elsewhere.example"),
    host("a path", "Host: $HOST/x"),
    host("with a user", "Host: user@$HOST"),
    host("a port of letters", "Host: localhost:80x"),
    host("two ports", "Host: localhost:80:80"),
    host("half an address", "Host: [::1"),
    host("something behind an address", "Host: [::1]x"),
    host("nothing but a port", "Host: :80"),
    host("beyond ASCII", "Host: <c3><a4>.example"),
]

LIMITS = [
    post("limits: 64 headers", *[f"X-{i}: y" for i in range(61)], "Content-Length: $LENGTH",
         status=431),
    post("limits: the length is the 65th header", *[f"X-{i}: y" for i in range(62)],
         "Content-Length: $LENGTH", status=431),
    post("limits: the encoding is the 65th header", *[f"X-{i}: y" for i in range(62)],
         "Transfer-Encoding: chunked", body="$SIZE\n$BODY\n0\n\n", status=431),
    post("limits: 5,000 headers", *["X: y"] * 5000, "Content-Length: $LENGTH", status=431),
    post("limits: a header of 100,000 bytes", "X: " + "y" * 100_000, "Content-Length: $LENGTH",
         status=431),
    line("100,000 bytes", "POST $PATH?" + "x" * 100_000 + " HTTP/1.1", 431),
]

MALFORMED = [*LENGTHS, *BOTH, *ENCODINGS, *CHUNKS, *LINES, *REQUEST_LINES, *HOSTS, *LIMITS]


# ---- what is good, however it looks ----

@dataclass(frozen=True)
class Pipeline:
    """Requests that are sent at once on one connection and answered in their order; each body that
    is accepted is stored as it was meant. $FIRST, $SECOND and $THIRD may each be posted to once.
    The last one asks to close."""
    name: str
    text: str
    statuses: tuple
    bodies: tuple

    def wire(self, **values):
        values = {key: value.encode() for key, value in values.items()}
        return fill(expand(self.text.replace("\n", "\r\n").encode()), values)


LAST = 'POST $THIRD HTTP/1.1\nHost: $HOST\nConnection: close\nContent-Length: 6\n\n"last"'

PIPELINES = [
    Pipeline("lengths", 'POST $FIRST HTTP/1.1\nHost: $HOST\nContent-Length: 5\n\n"one"'
             'POST $SECOND HTTP/1.1\nhost:$HOST\ncontent-length:00005\n\n"two"' + LAST,
             (200, 200, 200), ('"one"', '"two"', '"last"')),
    Pipeline("chunks", "POST $FIRST HTTP/1.1\nHost: $HOST\nTransfer-Encoding: chunked\n\n"
             '2\n"o\n0000003\nne"\n0\n\n'
             "POST $SECOND HTTP/1.1\nHost: $HOST\ntransfer-encoding: CHUNKED\n\n"
             'B\n"0123456789\nc\nabcdefghijk"\n000\n\n' + LAST,
             (200, 200, 200), ('"one"', '"0123456789abcdefghijk"', '"last"')),
    Pipeline("chunks with extensions and trailers",
             "POST $FIRST HTTP/1.1\nHost: $HOST\nTransfer-Encoding: chunked\nTrailer: X-Sum\n\n"
             '5;a;b=c; d = "e;f"\n"one"\n0;last\nX-Sum: 1234\nX-Empty:\n\n'
             "POST $SECOND HTTP/1.1\nHost: $HOST\nTransfer-Encoding: chunked\n\n"
             '5;\n"two"\n0\nContent-Length: 1000\nHost: elsewhere.example\n\n' + LAST,
             (200, 200, 200), ('"one"', '"two"', '"last"')),
    Pipeline("a body that looks like a request", "POST $FIRST HTTP/1.1\nHost: $HOST\n"
             "Content-Length: 42\n\nGET /healthz HTTP/1.1\nHost: x.example\n\n"
             + LAST, (400, 200), ('"last"',)),
    Pipeline("nothing in chunks", "POST $FIRST HTTP/1.1\nHost: $HOST\nTransfer-Encoding: chunked\n\n"
             "0\n\n" + LAST, (400, 200), ('"last"',)),
    Pipeline("a body that is no JSON, then a good one", "POST $FIRST HTTP/1.1\nHost: $HOST\n"
             "Content-Length: 1\n\n{" + LAST, (400, 200), ('"last"',)),
    Pipeline("HTTP/1.0 that keeps alive", 'POST $FIRST HTTP/1.0\nConnection: keep-alive\n'
             'Host: $HOST\nContent-Length: 5\n\n"one"' + LAST, (200, 200), ('"one"', '"last"')),
    Pipeline("HTTP/1.0", 'POST $FIRST HTTP/1.0\nHost: $HOST\nContent-Length: 5\n\n"one"'
             'POST $SECOND HTTP/1.0\nHost: $HOST\nContent-Length: 5\n\n"two"', (200,), ('"one"',)),
    Pipeline("what asks to close is the last", 'POST $FIRST HTTP/1.1\nHost: $HOST\n'
             'Connection: close\nContent-Length: 5\n\n"one"' + LAST, (200,), ('"one"',)),
    Pipeline("no body, then a body", "GET /healthz HTTP/1.1\nHost: $HOST\n\n"
             "HEAD /readyz HTTP/1.1\nHost: $HOST\n\n" + LAST, (200, 200, 200), ('"last"',)),
    Pipeline("odd headers", "POST $FIRST HTTP/1.1\nHost: $HOST\nX-Empty:\nX-8-Bit: <c3><a4><ff>\n"
             "X!#$%&'*+.^_`|~: y\nContent-Length: 5\nTransfer_Encoding: chunked\n"
             "Content_Length: 1\n\n" '"one"' + LAST, (200, 200), ('"one"', '"last"')),
    Pipeline("50 headers", "POST $FIRST HTTP/1.1\nHost: $HOST\n" +
             "".join(f"X-{i}: {i}\n" for i in range(50)) +
             'Content-Length: 5\n\n"one"' + LAST, (200, 200), ('"one"', '"last"')),
    Pipeline("many", "GET /healthz HTTP/1.1\nHost: $HOST\n\n" * 100 + LAST, (200,) * 101,
             ('"last"',)),
]
